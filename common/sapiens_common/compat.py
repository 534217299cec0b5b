# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Version windows of the upstream libraries, and every shim that a window makes necessary.

Each shim names its cause and its version range; ``tests/common/test_compat.py`` fails when one is
no longer needed.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from importlib import import_module, metadata
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from packaging.version import Version

if TYPE_CHECKING:  # what is missing is reported before it is imported
    from torch import nn
    from torch.amp import GradScaler


def _read_windows() -> dict[str, list[tuple[str, ...]]]:
    """Import name to (distribution, at least, below); setup.py and the doctor read the same file.

    The first installed distribution decides. The onedl-* forks keep upstream's import names and
    lifted the caps between their libraries.
    """
    text = files('sapiens_common').joinpath('data/version_windows.json').read_text('utf-8')
    return {module: [tuple(row) for row in rows] for module, rows in json.loads(text).items()}


WINDOWS = _read_windows()


SCOPES = tuple(
    f'sapiens_{folder}'
    for folder in ('common', 'train', 'pretrain', 'pose', 'seg', 'depth_normal', 'multitask')
)
"""Packages of the suite that register names, which are also the prefixes of these."""

_HINT = 'Did you mean'
_NOT_REGISTERED = re.compile(r'(\S+) is not in the |Failed to get (\S+)$')


def check_versions(*modules: str) -> None:
    """Check that the upstream libraries a package needs are installed in the tested window.

    Args:
        *modules: Import names, keys of :data:`WINDOWS`.

    Raises:
        ImportError: A library is missing or outside its window; the text says what to install.
    """
    for module in modules:
        for distribution, low, high in WINDOWS[module]:
            try:
                found = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                continue
            if not Version(low) <= Version(found) < Version(high):
                raise ImportError(
                    f'{distribution} {found} is installed, but this suite was tested with '
                    f'{low} <= {distribution} < {high}. Install one of those: '
                    f'pip install "{distribution}>={low},<{high}"'
                )
            break
        else:
            distribution, low, high = WINDOWS[module][0]
            raise ImportError(
                f'{module} is not installed. Run "bash tools/install.sh" for a tested environment, '
                f'or: pip install "{distribution}>={low},<{high}"'
            )


def warn_of_opencv() -> None:
    """Say so when crops will differ from the reference's: OpenCV 5 computes ``warpAffine`` otherwise."""
    for distribution, _, high in WINDOWS['opencv']:
        try:
            found = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
        if Version(found) >= Version(high):
            warnings.warn(
                f'{distribution} {found}: its warpAffine differs from that of OpenCV 4 by up to 5 grey '
                f'levels, keypoints by 0.03 px (median). For published numbers: pip install '
                f'"{distribution}<{high}"',
                stacklevel=2,
            )


def register_safe_globals() -> None:
    """Let upstream's readers, which call plain ``torch.load``, read what mmengine itself writes.

    Cause: since torch 2.6 ``torch.load`` refuses every global that is not allow-listed, and mmengine
    <= 0.10.7 stores its message hub (``HistoryBuffer``), NumPy scalars and parts of its configs. Earlier
    versions of torch read these files. Our own reader is :mod:`sapiens_common.unpickling`.
    """
    import torch

    from .unpickling import data_globals

    if Version(torch.__version__).release >= (2, 6):
        torch.serialization.add_safe_globals(
            [(value, name) for name, value in data_globals().items()]
        )


def suggest_prefixes() -> None:
    """Let mmengine's "X is not in the registry" say under which prefix the suite has X.

    Cause: mmengine <= 0.10.7 looks in one scope and its parents, and its message knows no others.
    """
    from mmengine.registry import Registry

    build = Registry.build
    if hasattr(build, '__wrapped__'):
        return

    @wraps(build)
    def build_or_suggest(self: Registry, cfg: dict, *args: Any, **kwargs: Any) -> Any:
        try:
            return build(self, cfg, *args, **kwargs)
        except (KeyError, RuntimeError) as error:
            message = str(error.args[0]) if error.args else ''
            found = _NOT_REGISTERED.match(message)
            names = (
                _find_prefixed(self.name, found[1] or found[2])
                if found and _HINT not in message
                else []
            )
            if not names:
                raise
            hint = ' or '.join(f'type={name!r}' for name in names)
            raise KeyError(f'{message}. {_HINT} {hint}?') from error

    Registry.build = build_or_suggest


def _find_prefixed(kind: str, name: str) -> list[str]:
    """The suite's registered names, with prefix, that end as a given one does."""
    found = []
    for scope in SCOPES:
        try:
            registries = vars(import_module(f'{scope}.registry')).values()
            for registry in registries:
                if getattr(registry, 'scope', '') == scope and registry.name == kind:
                    registry.import_from_location()
                    if (last := name.split('.')[-1]) in registry.module_dict:
                        found.append(f'{scope}.{last}')
        except ImportError:  # a package whose libraries are not installed
            continue
    return found


def drop_fused() -> None:
    """Let recipes that ask for a fused optimizer run on a CPU with its plain one.

    Cause: before torch 2.4 fused optimizers are refused for parameters that are not on a GPU, before 2.6
    for those on the meta device.
    """
    import torch

    release = Version(torch.__version__).release
    if release >= (2, 6):
        return
    refused = {'meta'} if release >= (2, 4) else {'meta', 'cpu'}
    from mmengine.optim import DefaultOptimWrapperConstructor as Constructor

    call = Constructor.__call__
    if hasattr(call, '__wrapped__'):
        return

    @wraps(call)
    def call_without_fused(self: Constructor, model: nn.Module) -> Any:
        if any(parameter.device.type in refused for parameter in model.parameters()):
            self.optimizer_cfg.pop('fused', None)
        return call(self, model)

    Constructor.__call__ = call_without_fused


def add_load_hook(module: nn.Module, hook: Callable) -> None:
    """Register a hook ``(module, state_dict, prefix, ...)`` that runs before a state dict is loaded.

    Cause: the method is private before torch 2.5, with an argument that says to pass the module.
    """
    if hasattr(module, 'register_load_state_dict_pre_hook'):
        module.register_load_state_dict_pre_hook(hook)
    else:
        module._register_load_state_dict_pre_hook(hook, with_module=True)


def require_torch(least: str, what: str, advice: str = '') -> None:
    """Check that torch is new enough for something.

    Args:
        least: The first version that has it.
        what: Begins the message.
        advice: Ends it.

    Raises:
        ValueError: It is older.
    """
    import torch

    if Version(torch.__version__).release < Version(least).release:
        raise ValueError(f'{what} needs torch {least} or newer, found {torch.__version__}{advice}')


def grad_scaler(device: str, scale: float, enabled: bool) -> GradScaler:
    """A loss scaler for a device type.

    Cause: before torch 2.3 there is one for CUDA only.

    Raises:
        ValueError: An enabled scaler on another device with such a torch.
    """
    import torch

    if hasattr(torch.amp, 'GradScaler'):
        return torch.amp.GradScaler(device, scale, enabled=enabled)
    if enabled and device != 'cuda':
        raise ValueError(
            f'float16 on {device} needs torch 2.3 or newer, found {torch.__version__}; use bfloat16'
        )
    return torch.cuda.amp.GradScaler(scale, enabled=enabled)


def plain_attention() -> AbstractContextManager[None]:
    """In this context SDPA is its matrix products, which operation counters see.

    Cause: the function that takes a back end is younger than torch 2.2.
    """
    import torch

    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel
    except ImportError:
        return torch.backends.cuda.sdp_kernel(enable_flash=False, enable_mem_efficient=False)
    return sdpa_kernel(SDPBackend.MATH)
