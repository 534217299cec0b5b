# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What ``tools/train.py`` and ``tools/test.py`` do after parsing their arguments."""

from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from sapiens_common.models.precision import parse_dtype
from sapiens_common.weights import config_root, find_config

from .dist import init_process_group
from .options import read_config


def load_config(path: str, work_dir: str | None, launcher: str, options: dict | None) -> Config:
    """Read a config and apply what the command line says.

    Args:
        path: The config file; a shipped one also as ``pose/sapiens_tiny_coco.py`` or ``sapiens_tiny/pose_coco``.
        work_dir: Output folder; None takes the config's, else ``work_dirs/<task>/<config name>``, as
            the tasks' configs share their names. A config outside ``configs/`` has no task.
        launcher: Job launcher of mmengine: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        options: Dotted keys to values (``--cfg-options``), as :func:`read_config` takes them. A new
            ``data_root`` moves every path below the config's ``data_root``.

    Raises:
        ValueError: The file does not exist, or an option names nothing in it.
    """
    try:
        path = str(find_config(path))
    except ValueError as error:
        raise ValueError(
            f'config {path} does not exist; the shipped ones are under configs/<task>/ '
            f'({config_root()})'
        ) from error
    options = dict(options or {})
    root = options.pop('data_root', None)
    config = read_config(path, options)
    if root is not None:
        if 'data_root' not in config:
            raise ValueError(f'--cfg-options data_root: {path} has none; name the paths themselves')
        _move(config._cfg_dict, config.data_root, str(root))
        config.data_root = str(root)
    config.merge_from_dict(options)
    config.launcher = launcher
    config.work_dir = work_dir or config.get('work_dir') or _default_work_dir(path)
    return config


def _default_work_dir(path: str) -> str:
    parts = Path(path).resolve().with_suffix('').parts
    for index in reversed(range(len(parts))):
        if parts[index] in ('configs', 'sapiens_configs'):
            return str(Path('work_dirs', *parts[index + 1 :]))
    return f'work_dirs/{parts[-1]}'


def _move(node: Any, old: str, new: str) -> Any:
    """Replace the folder ``old`` by ``new`` at the start of every path in a config, dicts in place."""
    old, new = (folder.rstrip('/') for folder in (old, new))
    if isinstance(node, str) and f'{node}/'.startswith(f'{old}/'):
        return new + node[len(old) :]
    if isinstance(node, dict):
        node.update({key: _move(value, old, new) for key, value in node.items()})
    elif isinstance(node, list | tuple):
        return type(node)(_move(value, old, new) for value in node)
    return node


def enable_amp(config: Config, dtype: str) -> None:
    """Switch the optimizer wrapper to mixed precision; ``auto`` picks by the hardware."""
    found = parse_dtype(dtype, torch.device(get_device()), training=True)
    config.optim_wrapper.type = 'sapiens_train.SapiensOptimWrapper'
    config.optim_wrapper.dtype = str(found).removeprefix('torch.')


def build_runner(config: Config) -> Runner:
    """Join the process group and build the runner the config names.

    Raises:
        ValueError: Nothing can be written in the work directory.
    """
    try:
        Path(config.work_dir).mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=config.work_dir):
            pass
    except OSError as error:
        raise ValueError(
            f'work_dir {config.work_dir} cannot be written ({error}); choose another with --work-dir'
        ) from error
    torch.set_float32_matmul_precision(config.get('float32_matmul_precision', 'highest'))
    init_process_group(config.launcher, **config.get('env_cfg', {}).get('dist_cfg', {}))
    if 'runner_type' in config:
        return RUNNERS.build(config)
    return Runner.from_cfg(config)


def disable_validation(config: Config) -> None:
    """Take the validation loop out of a training run."""
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
        config[key] = None


def set_resume(config: Config, checkpoint: str) -> None:
    """Let a training run continue from a checkpoint.

    Args:
        config: The run's config, changed in place. A ``load_from`` of its own becomes ``start_from``: what the
            run starts with as long as there is nothing to continue from.
        checkpoint: A file, or ``auto`` for the newest complete one of the run.
    """
    config.resume = True
    if checkpoint != 'auto':
        config.load_from = checkpoint
    elif config.get('load_from'):
        config.start_from, config.load_from = config.load_from, None


def set_checkpoint(config: Config, checkpoint: str) -> None:
    """Let a test run load a checkpoint, without the encoder's own file unless the checkpoint is a part of it."""
    config.load_from = checkpoint
    config.resume = False
    backbone = config.model.get('backbone', ConfigDict())
    if not backbone.get('tuning'):
        backbone.pop('init_cfg', None)


def enable_tta(config: Config) -> None:
    """Switch a test run to the config's test-time augmentation.

    Raises:
        ValueError: The config has none.
    """
    if 'tta_pipeline' not in config or 'tta_model' not in config:
        raise ValueError(
            '--tta needs tta_model and tta_pipeline, which this config does not define '
            '(pose models flip through model.test_cfg.flip_test instead)'
        )
    config.test_dataloader.dataset.pipeline = config.tta_pipeline
    config.model = ConfigDict(**config.tta_model, module=config.model)


def dump_predictions(config: Config, path: str) -> None:
    """Let a test run also write its raw predictions, beside its metrics.

    Raises:
        ValueError: The path has another suffix than mmengine's pickled results.
    """
    if not path.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--out {path}: expected a .pkl file')
    evaluators = config.test_evaluator
    evaluators = [evaluators] if isinstance(evaluators, dict) else list(evaluators)
    config.test_evaluator = [*evaluators, {'type': 'DumpResults', 'out_file_path': path}]
