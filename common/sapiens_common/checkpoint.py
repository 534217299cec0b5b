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

import torch
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import safe_open
from torch import Tensor, nn

from .checkpoint_names import from_published
from .unpickling import load_data
from .weights import find_weights

# Wrappers (DDP, torch.compile, FSDP, activation checkpointing) that leave a trace in parameter names.
_WRAPPERS = ('module.', '_orig_mod.', '_fsdp_wrapped_module.', '_checkpoint_wrapped_module.')
# Preprocessing buffers of traced files; ours are not persistent.
_BUFFERS = ('data_preprocessor.mean', 'data_preprocessor.std')
_PARTS = ('backbone.', 'head.', 'decode_head.', 'neck.')
SHARDS = '.shards'


def shards_of(path: str | Path) -> Path:
    """The folder that has the weights of a sharded run's checkpoint."""
    return Path(path).with_suffix(SHARDS)


@dataclass
class Checkpoint:
    """A file's content.

    Attributes:
        state_dict: Tensors by name.
        meta: The writer's metadata.
        training: Training state, if any: optimizer, schedulers, message hub.
        left_out: Entries that hold objects of unknown classes and were left out, such as
            ``meta.author``, to the classes' names.
    """

    state_dict: dict[str, Tensor]
    meta: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


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


def _archive(path: Path) -> Any:
    """The reader of a zip file that torch itself uses; None for a file of another kind.

    Another zip library may find other members in a crafted file than torch will.
    """
    with open(path, 'rb') as file:
        if file.read(2) != b'PK':
            return None
    return torch._C.PyTorchFileReader(str(path))


def _read_torchscript(path: Path, archive: Any) -> dict[str, Tensor]:
    """Tensors of a TorchScript archive.

    Raises:
        ValueError: Its code has a ``__setstate__``, which loading would run; traced modules have none.
    """
    sources = [name for name in archive.get_all_records() if name.endswith('.py')]
    if any(b'__setstate__' in archive.get_record(name) for name in sources):
        raise ValueError('it has code that would run while it is read (__setstate__)')
    return torch.jit.load(str(path), map_location='cpu').state_dict()


def _read_safetensors(path: Path) -> dict[str, Any]:
    """Tensors, and the metadata that ``convert_checkpoint`` keeps as JSON."""
    with safe_open(str(path), framework='pt') as file:
        meta = json.loads((file.metadata() or {}).get('meta', '{}'))
        return {'meta': meta, 'state_dict': {name: file.get_tensor(name) for name in file.keys()}}


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read ``.pth``, TorchScript ``.pt2`` or ``.safetensors`` to CPU tensors. No code of the file runs.

    What the metadata holds beside plain data and mmengine's own types is left out with a warning.

    Raises:
        ValueError: The file is missing, is not a checkpoint, or holds more than data among its weights.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'checkpoint {path} does not exist; pass the path of a downloaded file')
    left_out: dict[str, str] = {}
    try:
        if path.suffix == '.safetensors':
            content: Any = _read_safetensors(path)
        elif (archive := _archive(path)) and 'constants.pkl' in archive.get_all_records():
            content = _read_torchscript(path, archive)
        else:
            content, left_out = load_data(path)
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
    return _split(content, left_out, path)


def _split(content: Any, left_out: dict[str, str], path: Path) -> Checkpoint:
    """Weights, metadata and training state of what a file holds.

    Raises:
        ValueError: The weights are not tensors by name.
    """
    meta: dict[str, Any] = {}
    training: dict[str, Any] = {}
    if isinstance(content, dict) and ('state_dict' in content or 'state_dict' in left_out):
        training = {k: v for k, v in content.items() if k not in ('state_dict', 'meta')}
        meta = content.get('meta') or {}
        content = content.get('state_dict')
        weights_left_out = [name for name in left_out if name.split('.')[0] == 'state_dict']
    else:
        weights_left_out = list(left_out)
    if weights_left_out:
        name = weights_left_out[0]
        raise ValueError(
            f'checkpoint {path}: {name} is an object of {left_out[name]}, not a tensor; such objects are '
            'not executed. Re-save its state_dict with a tool you trust'
        )
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        found = f'the entries {list(content)[:5]}' if isinstance(content, dict) else type(content)
        raise ValueError(
            f'checkpoint {path} holds no state dict: expected names mapped to tensors, found {found}; '
            "weights under another name than 'state_dict' are re-saved under it"
        )
    if left_out:
        listed = ', '.join(f'{name} ({kind})' for name, kind in left_out.items())
        MMLogger.get_current_instance().warning(
            f'{path}: left out, as their classes are not known to hold data alone: {listed}'
        )
    state_dict = {strip_wrappers(name): value for name, value in content.items()}
    state_dict = {name: value for name, value in state_dict.items() if name not in _BUFFERS}
    return Checkpoint(state_dict, meta, training, left_out)


@CheckpointLoader.register_scheme(
    [r'.*\.safetensors$', r'https?://.*\.safetensors$', 'hf://', r'sapiens2?_[^/]+/\w+$']
)
def _read_for_mmengine(weights: str, map_location: Any = None) -> dict[str, Any]:
    """What mmengine's readers, and with them upstream's ``init_model`` and inferencers, could not open.

    Names become ours: those readers load whatever fits and leave the rest at random with a warning.
    """
    content = read_checkpoint(find_weights(weights))
    return {'state_dict': from_published(content.state_dict), 'meta': content.meta}


def load_state_dict_strict(
    module: nn.Module, state_dict: dict[str, Tensor], path: str, skipped: list[str] | None = None
) -> LoadReport:
    """Load a state dict into a module; every name and shape must match.

    Published names of Sapiens2 are understood (:mod:`~sapiens_common.checkpoint_names`).

    Args:
        module: What the weights are for.
        state_dict: Names to tensors.
        path: The file's name in messages.
        skipped: Names that were left out on purpose, for the report.

    Raises:
        ValueError: Names or shapes differ, weights are quantised, or stand in a sharded run's folder; the
            text lists them and says what to do.
    """
    _require_weights(state_dict, path)
    state_dict = from_published(state_dict)
    own = dict(module.state_dict())
    quantised = [
        name
        for name, value in state_dict.items()
        # A copy would turn steps of a grid into weights without a word.
        if name in own and own[name].is_floating_point() and not value.is_floating_point()
    ]
    if quantised:
        kind = state_dict[quantised[0]].dtype
        raise ValueError(
            f'checkpoint {path} is quantised: {len(quantised)} of its tensors are {kind} and the like '
            f'{_some(quantised)}, expected floating point. Take the file that it was made from'
        )
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


def _require_weights(state_dict: dict[str, Tensor], path: str) -> None:
    """Say how to join the weights of a sharded run, whose own file has none."""
    if not state_dict and shards_of(path).is_dir():
        raise ValueError(
            f'checkpoint {path} is of a sharded run, with its weights in {shards_of(path)}; join them first: '
            f'python tools/convert/checkpoint.py {path} OUT.safetensors'
        )


def _some(names: list[str], limit: int = 6) -> str:
    """The first few names of a list, for a message."""
    return f'[{", ".join(names[:limit])}{", ..." if len(names) > limit else ""}]'


def load_checkpoint(model: nn.Module, path: str | Path) -> Checkpoint:
    """Load a whole task checkpoint (a file, published name or URL) into a model, strictly.

    Raises:
        ValueError: As :func:`read_checkpoint`, :func:`load_state_dict_strict` and
            :func:`~sapiens_common.weights.find_weights`.
    """
    content = read_checkpoint(find_weights(path))
    load_state_dict_strict(model, content.state_dict, str(path))
    return content


def encoder_state_dict(
    content: Checkpoint, path: str, prefix: str = 'backbone.'
) -> tuple[dict[str, Tensor], list[str]]:
    """The encoder's tensors of any checkpoint, unprefixed, and the names of all others.

    Args:
        content: The checkpoint.
        path: Its name in messages.
        prefix: What the encoder's names start with, where the file holds more than an encoder.

    Raises:
        ValueError: The checkpoint has no encoder, or its weights stand in a sharded run's folder.
    """
    _require_weights(content.state_dict, path)
    names = list(content.state_dict)
    if prefix == 'backbone.' and not any(name.startswith(_PARTS) for name in names):
        encoder, skipped = dict(content.state_dict), []
    else:
        encoder = {
            name.removeprefix(prefix): value
            for name, value in content.state_dict.items()
            if name.startswith(prefix)
        }
        skipped = [name for name in names if not name.startswith(prefix)]
    if 'patch_embed.projection.weight' not in encoder:
        raise ValueError(
            f'checkpoint {path} holds no Sapiens encoder: expected "patch_embed.projection.weight" '
            f'(with or without "{prefix}"), got {_some(names)}'
        )
    return encoder, skipped


def load_encoder(encoder: nn.Module, path: str | Path, prefix: str = 'backbone.') -> LoadReport:
    """Load only the encoder of a MAE, ``_clean`` or task checkpoint, strictly; say what was left.

    Args:
        encoder: The module to load.
        path: A file, published name or URL.
        prefix: As in :func:`encoder_state_dict`.

    Raises:
        ValueError: As :func:`read_checkpoint`; no encoder in it; another size.
    """
    content = read_checkpoint(find_weights(path))
    state_dict, skipped = encoder_state_dict(content, str(path), prefix)
    return load_state_dict_strict(encoder, state_dict, str(path), skipped)


def find_pretrained(init_cfg: Any) -> dict[str, Any] | None:
    """The part of mmengine's ``init_cfg`` that loads a checkpoint, in each form that mmengine accepts.

    Args:
        init_cfg: None, a dict or a list of dicts. ``type`` is ``'Pretrained'`` or ``PretrainedInit``.
    """
    configs = init_cfg if isinstance(init_cfg, (list, tuple)) else [init_cfg]
    for config in reversed(configs):  # mmengine applies them in turn: the last one stays
        kind = config.get('type') if config else None
        name = kind.__name__ if isinstance(kind, type) else str(kind)
        if name.rsplit('.', 1)[-1] in ('Pretrained', 'PretrainedInit'):
            return dict(config)
    return None


def load_pretrained(encoder: nn.Module, init_cfg: Any) -> bool:
    """Load an encoder as its ``init_cfg`` says.

    Args:
        encoder: The module to load.
        init_cfg: As in :func:`find_pretrained`. All parameters are loaded, so that other
            initialisers of the list have nothing left to do.

    Returns:
        Whether it names a checkpoint.

    Raises:
        ValueError: As :func:`load_encoder`; or an option of ``PretrainedInit`` that does not apply.
    """
    options = find_pretrained(init_cfg)
    if options is None:
        return False
    unknown = set(options) - {'type', 'checkpoint', 'prefix', 'map_location'}
    if unknown or not options.get('checkpoint'):
        raise ValueError(
            "init_cfg: expected dict(type='Pretrained', checkpoint=..., prefix=...), got "
            f'{options}; an encoder is loaded whole'
        )
    prefix = options.get('prefix') or 'backbone.'
    load_encoder(encoder, options['checkpoint'], prefix if prefix.endswith('.') else f'{prefix}.')
    return True
