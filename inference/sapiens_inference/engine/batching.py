# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A batch that shrinks when the accelerator runs out of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
from mmengine.logging import MMLogger

In = TypeVar('In')
Out = TypeVar('Out')


_SIGNS = ('out of memory', "can't allocate memory", 'ALLOC_FAILED', 'not enough memory')


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory is full: torch's own type, or a library's or another device's."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


class AdaptiveBatch(Generic[In, Out]):
    """Run a function over batches; out of memory halves the batch, for good, and goes on.

    Args:
        function: Maps a batch to one output per element.
        size: Largest batch to try.

    Attributes:
        size: Current batch size.
        halvings: How often it was halved.
    """

    def __init__(self, function: Callable[[list[In]], Sequence[Out]], size: int) -> None:
        if size < 1:
            raise ValueError(f'batch_size must be at least 1, got {size}')
        self.function = function
        self.size = size
        self.halvings = 0

    def __call__(self, samples: list[In]) -> list[Out]:
        """One output per sample, in order.

        Raises:
            ValueError: One sample alone does not fit into memory.
        """
        outputs: list[Out] = []
        while len(outputs) < len(samples):
            chunk = samples[len(outputs) : len(outputs) + self.size]
            try:
                outputs.extend(self.function(chunk))
                continue
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error).split('\n')[0] or type(error).__name__
            # Outside the handler, where the traceback no longer keeps the tensors alive.
            self._shrink(len(chunk), reason)
        return outputs

    def _shrink(self, tried: int, reason: str) -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()
        if tried == 1:
            raise ValueError(
                f'out of memory with a single sample ({reason}). Take a smaller model, '
                "dtype='bfloat16', or another device"
            )
        self.size = tried // 2
        self.halvings += 1
        MMLogger.get_current_instance().warning(
            f'out of memory with {tried} samples; going on with {self.size}'
        )
