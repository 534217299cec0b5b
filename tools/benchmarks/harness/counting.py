# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Operation counts, and the matrix product that says what the machine could do."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from sapiens_common.compat import plain_attention


def count_flops(job: Callable[[], Any]) -> int:
    """Floating-point operations of a call (a multiply-add is two), by torch's counter.

    Meant for models and inputs on the meta device, where nothing is computed. Attention is taken apart
    into its matrix products, because the counter does not know the CPU's fused kernel.
    """
    with plain_attention(), FlopCounterMode(display=False) as counter:
        job()
    return counter.get_total_flops()


class MatmulPeak:
    """A square matrix product, the measure of what the hardware can do in a dtype.

    Args:
        device: Where it is computed.
        dtype: Precision of the factors.
        quick: Whether a tiny one is enough.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype, quick: bool = False) -> None:
        side = 256 if quick else 8192 if device.type == 'cuda' else 2048
        self.flops = 2 * side**3
        self.left = torch.randn(side, side, device=device).to(dtype)
        self.right = torch.randn(side, side, device=device).to(dtype)

    def __call__(self) -> torch.Tensor:
        """One product of the two matrices."""
        return self.left @ self.right
