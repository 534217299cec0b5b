# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What a benchmark run was asked for."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Settings:
    """Options of a run; every stage gets the same.

    Attributes:
        device: Where models, targets and decoding run.
        quick: Whether sizes and repeats are cut to what a test needs; such figures mean nothing.
        repeats: Timed rounds of a short job. Long ones take fewer, see :meth:`rounds`.
        sizes: Encoder sizes to measure. Empty: what the device can do in a few minutes.
        batches: Batch sizes of the models. Empty: the stage's own.
        compile_mode: Mode of ``torch.compile`` that models are also measured in; empty: eager only.
        workers: Loader and decoding processes or threads.
        samples: Folder of photos; empty: photos are made up.
    """

    device: str = 'cpu'
    quick: bool = False
    repeats: int = 7
    sizes: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    compile_mode: str = ''
    workers: int = 2
    samples: str = ''

    @property
    def torch_device(self) -> torch.device:
        """The device as torch names it."""
        return torch.device(self.device)

    @property
    def on_gpu(self) -> bool:
        """Whether the device is not the CPU."""
        return self.torch_device.type != 'cpu'

    def rounds(self, most: int | None = None) -> int:
        """Timed rounds of a job that should have ``most`` at most."""
        wanted = 2 if self.quick else self.repeats
        return wanted if most is None else min(wanted, most)
