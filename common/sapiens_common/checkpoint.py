# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading checkpoints of every published form, and loading them strictly with a report.

A task checkpoint has keys ``backbone.*`` and ``head.*`` or ``decode_head.*``; a MAE checkpoint has
``backbone.*`` and ``neck.*``; a ``_clean`` file, and a pretrained one of Sapiens2, has the encoder's keys
without a prefix.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from mmengine.logging import MMLogger
from safetensors import safe_open
from torch import Tensor, nn

from .checkpoint_names import from_published
from .compat import register_safe_globals

# Wrappers (DDP, torch.compile, FSDP, activation checkpointing) that leave a trace in parameter names.
_WRAPPERS = ('module.', '_orig_mod.', '_fsdp_wrapped_module.', '_checkpoint_wrapped_module.')
# Preprocessing buffers of traced files; ours are not persistent.
_BUFFERS = ('data_preprocessor.mean', 'data_preprocessor.std')
_PARTS = ('backbone.', 'head.', 'decode_head.', 'neck.')


@dataclass
class Checkpoint:
    """A file's content: tensors by name, the writer's metadata, and its training state if any."""

    state_dict: dict[str, Tensor]
    meta: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)  # optimizer, schedulers, message hub


@dataclass
class LoadReport:
    """What a load did, by parameter names."""

    path: str
    loaded: list[str]
    skipped: list[str]

    def __str__(self) -> str:
        parts = sorted({name.split('.')[0] for name in self.skipped})
        rest = f'; {len(self.skipped)} others not used ({", ".join(parts)})' if parts else ''
        return f'{self.path}: {len(self.loaded)} tensors loaded{rest}'


def strip_wrappers(name: str) -> str:
    """Parameter name without the traces of model wrappers."""
    for wrapper in _WRAPPERS:
        if name.startswith(wrapper):
            name = name[len(wrapper) :]
        name = name.replace(f'.{wrapper}', '.')
    return name


def _is_torchscript(path: Path) -> bool:
    """Whether the file is a TorchScript archive: a zip with a ``constants.pkl``."""
    try:
        with ZipFile(path) as archive:
            return any(name.endswith('/constants.pkl') for name in archive.namelist())
    except BadZipFile:
        return False


def _read_torchscript(path: Path) -> dict[str, Tensor]:
    """Tensors of a TorchScript archive.

    Raises:
        ValueError: Its code has a ``__setstate__``, which loading would run; traced modules have none.
    """
    with ZipFile(path) as archive:
        sources = [entry for entry in archive.infolist() if entry.filename.endswith('.py')]
        if any(b'__setstate__' in archive.read(entry) for entry in sources):
            raise ValueError('it has code that would run while it is read (__setstate__)')
    return torch.jit.load(str(path), map_location='cpu').state_dict()


def _read_safetensors(path: Path) -> dict[str, Any]:
    """Tensors, and the metadata that ``convert_checkpoint`` keeps as JSON."""
    with safe_open(str(path), framework='pt') as file:
        meta = json.loads((file.metadata() or {}).get('meta', '{}'))
        return {'meta': meta, 'state_dict': {name: file.get_tensor(name) for name in file.keys()}}


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read ``.pth``, TorchScript ``.pt2`` or ``.safetensors`` to CPU tensors. No code of the file runs.

    Raises:
        ValueError: The file is missing, is no checkpoint, or holds more than data.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'checkpoint {path} does not exist; pass the path of a downloaded file')
    register_safe_globals()
    try:
        if path.suffix == '.safetensors':
            content: Any = _read_safetensors(path)
        elif _is_torchscript(path):
            content = _read_torchscript(path)
        else:
            content = torch.load(path, map_location='cpu', weights_only=True)
    except UnpicklingError as error:
        raise ValueError(
            f'checkpoint {path} is damaged, or holds Python objects beside tensors, which are not '
            f'executed. Re-save its state_dict with a tool you trust. Cause: {error}'
        ) from error
    # Damaged data fails in many ways while it is parsed.
    except Exception as error:
        raise ValueError(
            f'checkpoint {path} cannot be read (torn or wrong format?): '
            f'{error or type(error).__name__}'
        ) from error
    meta: dict[str, Any] = {}
    training: dict[str, Any] = {}
    if isinstance(content, dict) and 'state_dict' in content:
        training = {k: v for k, v in content.items() if k not in ('state_dict', 'meta')}
        meta = content.get('meta') or {}
        content = content['state_dict']
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise ValueError(f'checkpoint {path} holds no state dict: expected names mapped to tensors')
    state_dict = {strip_wrappers(name): value for name, value in content.items()}
    state_dict = {name: value for name, value in state_dict.items() if name not in _BUFFERS}
    return Checkpoint(state_dict, meta, training)


def load_state_dict_strict(
    module: nn.Module, state_dict: dict[str, Tensor], path: str, skipped: list[str] | None = None
) -> LoadReport:
    """Load a state dict into a module; every name and shape must match.

    Published names of Sapiens2 are understood (:mod:`~sapiens_common.checkpoint_names`).

    Raises:
        ValueError: Names or shapes differ; the text lists them and says what to do.
    """
    state_dict = from_published(state_dict)
    try:
        result = module.load_state_dict(dict(state_dict), strict=False)
    except RuntimeError as error:
        raise ValueError(
            f'checkpoint {path} does not fit {type(module).__name__}: {error}\n'
            'The checkpoint is of another size or task; choose the config that matches it.'
        ) from error
    missing, unexpected = list(result.missing_keys), list(result.unexpected_keys)
    if missing or unexpected:
        raise ValueError(
            f'checkpoint {path} does not fit {type(module).__name__}: '
            f'{len(missing)} missing {_some(missing)}, {len(unexpected)} unexpected '
            f'{_some(unexpected)}. Choose the config of the same size and task; to start a task from '
            "a pretrained encoder set model.backbone.init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
    report = LoadReport(path, sorted(state_dict), skipped or [])
    MMLogger.get_current_instance().info(str(report))
    return report


def _some(names: list[str], limit: int = 6) -> str:
    """The first few names of a list, for a message."""
    return f'[{", ".join(names[:limit])}{", ..." if len(names) > limit else ""}]'


def load_checkpoint(model: nn.Module, path: str | Path) -> Checkpoint:
    """Load a whole task checkpoint into a model, strictly.

    Raises:
        ValueError: As :func:`read_checkpoint` and :func:`load_state_dict_strict`.
    """
    content = read_checkpoint(path)
    load_state_dict_strict(model, content.state_dict, str(path))
    return content


def encoder_state_dict(content: Checkpoint, path: str) -> tuple[dict[str, Tensor], list[str]]:
    """The encoder's tensors of any checkpoint, unprefixed, and the names of all others.

    Raises:
        ValueError: The checkpoint has no encoder.
    """
    names = list(content.state_dict)
    if not any(name.startswith(_PARTS) for name in names):
        encoder, skipped = dict(content.state_dict), []
    else:
        encoder = {
            name.removeprefix('backbone.'): value
            for name, value in content.state_dict.items()
            if name.startswith('backbone.')
        }
        skipped = [name for name in names if not name.startswith('backbone.')]
    if 'patch_embed.projection.weight' not in encoder:
        raise ValueError(
            f'checkpoint {path} holds no Sapiens encoder: expected "patch_embed.projection.weight" '
            f'(with or without "backbone."), got {_some(names)}'
        )
    return encoder, skipped


def load_encoder(encoder: nn.Module, path: str | Path) -> LoadReport:
    """Load only the encoder of a MAE, ``_clean`` or task checkpoint, strictly; say what was left.

    Raises:
        ValueError: As :func:`read_checkpoint`; no encoder in it; another size.
    """
    state_dict, skipped = encoder_state_dict(read_checkpoint(path), str(path))
    return load_state_dict_strict(encoder, state_dict, str(path), skipped)
