# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Options of the command line that reach what they name, also values a config only builds others from.

``merge_from_dict`` changes a config after it was read. That is too late for ``epochs = 200`` or
``load = dict(type=...)``, which schedules and pipelines were built from by then. Such options are put
into a copy of the config's files, behind the statement that sets the name, and the copy is read.
"""

import ast
import inspect
import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner

_READ_LATER = {
    *inspect.signature(Runner.__init__).parameters,
    *('activation_checkpointing', 'auto_scale_lr', 'bad_samples', 'compile', 'custom_imports'),
    *('efficient_conv_bn_eval', 'find_unused_parameters', 'float32_matmul_precision'),
    *('model_wrapper_cfg', 'runner_type', 'sharding', 'tta_model', 'tta_pipeline', 'work_dir'),
}
"""Names of a config that a runner or a tool reads; all others only serve to write the config down."""


def read_config(path: str, options: dict[str, Any]) -> Config:
    """Read a config with dotted keys set to other values.

    Args:
        path: The config file.
        options: Values by key, such as ``{'train_dataloader.batch_size': 4, 'load.depth_unit': 0.001}``.

    Raises:
        ValueError: A key whose first part the config does not have, or that nothing depends on.
    """
    config = Config.fromfile(path)
    names = {}
    for key, value in options.items():
        name = key.partition('.')[0]
        if name not in config and name not in _READ_LATER:
            close = get_close_matches(name, [*config, *_READ_LATER], 1)
            hint = f'; did you mean {close[0]}?' if close else ''
            raise ValueError(f'--cfg-options {key}: {path} has no {name!r}{hint}')
        if name not in _READ_LATER:
            names[key] = value
        else:
            _warn_of_typing_errors(config, key, path)
    for key, value in names.items():
        try:
            changed = _reread(path, {key: value})
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(
                f'--cfg-options {key}: {path} has nothing there ({error!r})'
            ) from error
        if _read_part(changed) == _read_part(config) and _value_of(config, key) != value:
            raise ValueError(
                f'--cfg-options {key} changes nothing: no part of {path} that runs is made from it. Name '
                'what is to change, such as train_dataloader.batch_size, or edit the file'
            )
    return _reread(path, names) if names else config


def _warn_of_typing_errors(config: Config, key: str, path: str) -> None:
    """Say so when a key is new where nothing checks names: in a dict that no class is built from."""
    parent, _, last = key.rpartition('.')
    node = _value_of(config, parent) if parent else None
    if not isinstance(node, dict) or 'type' in node or last in node:
        return
    close = get_close_matches(last, list(node), 1, cutoff=0.8)
    if close:
        MMLogger.get_current_instance().warning(
            f'--cfg-options {key}: {path} has no such entry, and it is added; did you mean {parent}.{close[0]}?'
        )


def _read_part(config: Config) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key in _READ_LATER}


def _value_of(config: Config, key: str) -> Any:
    node: Any = config
    for part in key.split('.'):
        try:
            node = node[int(part)] if isinstance(node, (list, tuple)) else node[part]
        except (KeyError, IndexError, ValueError, TypeError):
            return None
    return node


def _reread(path: str, options: dict[str, Any]) -> Config:
    """Read a copy of a config's files in which names have other values from the start."""
    leaf = os.path.abspath(path)
    files = set(_chain(leaf))
    root = os.path.commonpath([os.path.dirname(file) for file in files])
    with TemporaryDirectory() as folder:
        for file in files:
            copy = Path(folder, os.path.relpath(file, root))
            copy.parent.mkdir(parents=True, exist_ok=True)
            # {{ fileDirname }} is the folder of the file, not of the copy.
            Config._substitute_predefined_vars(file, str(copy))
            text = copy.read_text(encoding='utf-8')
            copy.write_text(_with_options(text, options, file), encoding='utf-8')
        config = Config.fromfile(os.path.join(folder, os.path.relpath(leaf, root)))
        text = config.text.replace(folder, root)
    return Config(config._cfg_dict, text, path, config.env_variables)


def _chain(file: str) -> Iterator[str]:
    """A config file and the files it is based on, but for those of other packages and other formats."""
    yield file
    for statement in ast.parse(Path(file).read_text(encoding='utf-8')).body:
        if _assigned(statement) != '_base_':
            continue
        bases = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
        for base in [bases] if isinstance(bases, str) else bases:
            if '::' not in base and not os.path.isabs(base):
                base = os.path.normpath(os.path.join(os.path.dirname(file), base))
                yield from _chain(base) if base.endswith('.py') else [base]


def _assigned(statement: ast.stmt) -> str:
    """The name that a statement sets, or nothing."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        return target.id if isinstance(target, ast.Name) else ''
    return ''


def _with_options(text: str, options: dict[str, Any], file: str) -> str:
    """A config's text in which every statement that sets a name of an option is followed by its value."""
    if not file.endswith('.py'):
        return text
    lines = text.splitlines()
    for statement in reversed(ast.parse(text).body):
        for key, value in options.items():
            name, *parts = key.split('.')
            if _assigned(statement) == name:
                assert statement.end_lineno is not None
                lines.insert(statement.end_lineno, f'{name} = {_changed(name, parts, value)}')
    return '\n'.join(lines) + '\n'


def _changed(place: str, parts: list[str], value: Any) -> str:
    """Source of an expression: what stands at a place, with one part of it replaced in a copy."""
    if not parts:
        return repr(value)
    part, rest = parts[0], parts[1:]
    if part.isdecimal():
        inner = _changed(f'{place}[{part}]', rest, value)
        return f'[*{place}[:{part}], {inner}, *{place}[{int(part) + 1}:]]'
    # A leaf may set another part of what its base has.
    inner = _changed(f'{place}.get({part!r}, {{}})', rest, value)
    return f'{{**{place}, {part!r}: {inner}}}'
