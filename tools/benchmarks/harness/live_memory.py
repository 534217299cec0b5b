# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""How much memory a model's tensors take at once, found by running it without any data.

The operations run on fake tensors, which have shapes and lifetimes and no values; so models of any size
can be counted on any machine. Not counted: what a device's context, its kernels' workspaces and
fragmentation take.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from packaging.version import Version
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


@contextmanager
def without_data() -> Iterator[None]:
    """Tensors made here have no values."""
    with FakeTensorMode():
        yield


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make, until they are freed.

    Args:
        existing: Tensors that are there already and do not count.

    Attributes:
        live: Bytes alive now.
        peak: Most bytes that were alive at once.

    Raises:
        ImportError: Before torch 2.4, storages do not last as Python objects, by which they are watched.
    """

    def __init__(self, existing: Iterable[Tensor]) -> None:
        if Version(torch.__version__).release < (2, 4):
            raise ImportError(
                f'counting memory needs torch 2.4 or newer, found {torch.__version__}'
            )
        super().__init__()
        self.live = 0
        self.peak = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in existing}

    def __torch_dispatch__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Run an operation and watch what it returns."""
        output = func(*args, **(kwargs or {}))
        for leaf in tree_flatten(output)[0]:
            if isinstance(leaf, Tensor):
                self._watch(leaf.untyped_storage())
        return output

    def _watch(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:  # a view, or changed in place
            return
        self._known.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key, size).atexit = False

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def forward_bytes(model: nn.Module, images: Tensor) -> int:
    """Most bytes alive during ``model(images)`` under bfloat16 autocast, beside weights and images."""
    with torch.no_grad(), _counting(model, images) as found:
        model(images)
    return found.peak


def backward_bytes(model: nn.Module, images: Tensor) -> int:
    """Most bytes alive in a training step of bfloat16 autocast, beside what its parameters need.

    A parameter's gradient goes as soon as it is there: its size is known without running anything.
    Autocast's copies of weights count as long as the backward pass waits for them, so in parts that are
    recomputed for a moment only.

    Args:
        model: Trainable parameters in float32; it gets hooks that drop their gradients.
        images: The batch (B, 3, H, W).
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(_drop_gradient)
    with _counting(model, images) as found:
        outputs = [leaf for leaf in tree_flatten(model(images))[0] if isinstance(leaf, Tensor)]
        sum(output.float().square().sum() for output in outputs).backward()
    return found.peak


@contextmanager
def _counting(model: nn.Module, images: Tensor) -> Iterator[LiveTensors]:
    """Count in bfloat16 autocast; without its cache, copies of weights go after the operation."""
    existing = [images, *model.state_dict().values()]
    with LiveTensors(existing) as found:
        with torch.autocast(images.device.type, torch.bfloat16, cache_enabled=False):
            yield found


def _drop_gradient(parameter: Tensor) -> None:
    parameter.grad = None
