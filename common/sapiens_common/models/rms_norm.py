# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Root-mean-square norm, also for versions of torch that have none."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """RMS norm that computes in its input's precision (Zhang and Sennrich, NeurIPS 2019).

    Under autocast, queries and keys are half precision and the weights are not; torch's kernel wants
    them alike. Torch has neither a kernel nor a module before 2.4.
    """

    def __init__(self, dims: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dims))

    def reset_parameters(self) -> None:
        """Set every weight to 1."""
        nn.init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Norm x (..., D) over its last dimension."""
        weight = self.weight.to(x.dtype)
        if hasattr(F, 'rms_norm'):
            return F.rms_norm(x, weight.shape, weight, self.eps)
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + self.eps)
        return (wide * scale).to(x.dtype) * weight
