# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From what a user names to a model that is ready to run."""

from __future__ import annotations

import copy
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, TRANSFORMS, DefaultScope
from torch import Tensor, nn

from sapiens_common.checkpoint import load_state_dict_strict, read_checkpoint
from sapiens_common.models.precision import compile_modules, lower_precision, parse_dtype
from sapiens_common.weights import find_config, find_weights, is_published, sha256_of

WHOLE = 'multitask'
"""The task that is a multitask model as a whole."""

# Transforms of a test pipeline that read images or labels; inference has the image in memory, and no labels.
_READERS = ('Load', 'InferencerLoader')


@dataclass
class LoadedModel:
    """A model with everything inference needs to know of it.

    Attributes:
        model: In evaluation mode, on its device.
        config: Its config.
        name: What the user called it.
        weights: The checkpoint file.
        device: Where it runs.
        dtype: Precision of the heavy modules.
        meta: Metadata of the checkpoint.
        shared: Whether this is one task of a multitask model, whose input is the whole image or a region
            of it, for keypoints too.
    """

    model: nn.Module
    config: Config
    name: str
    weights: Path
    device: torch.device
    dtype: torch.dtype
    meta: dict[str, Any] = field(default_factory=dict)
    shared: bool = False
    _hash: Future[str] | None = None

    def sha256(self) -> str:
        """SHA-256 of the checkpoint file; computed in the background since loading."""
        return sha256_of(self.weights) if self._hash is None else self._hash.result()

    @property
    def aspect(self) -> float:
        """Width over height of the model's input."""
        height, width = self.config.model.backbone.get('img_size', (1024, 768))
        return width / height

    @property
    def padded(self) -> bool:
        """Whether people's regions keep their aspect at the image's border, black beyond it.

        Multitask models are trained on such windows; the published models of one dense task on pictures without them.
        """
        return self.shared or 'tasks' in self.config.model

    def part(self, task: str) -> LoadedModel:
        """One task of a multitask model; it shares the weights, and the encoder runs outside of it."""
        model: Any = self.model
        config = task_config(self.config, task)
        return replace(self, model=model.tasks[task], config=config, shared=True)

    def alone(self, task: str) -> LoadedModel:
        """One task of a multitask model, encoder included, as a model of its own; it shares the weights."""
        whole: Any = self.model
        model = copy.copy(whole.tasks[task])
        model._modules = dict(model._modules)
        model.backbone, model.data_preprocessor = whole.backbone, whole.data_preprocessor
        return replace(self, model=model, config=task_config(self.config, task), shared=True)

    def describe(self) -> dict[str, Any]:
        """What ``summary.json`` says of the model."""
        return {
            'model': self.name,
            'weights': self.weights.name,
            'sha256': self.sha256(),
            'device': str(self.device),
            'dtype': str(self.dtype).removeprefix('torch.'),
        }


def pick_device(device: str | torch.device | None) -> torch.device:
    """The device asked for, or the best there is: CUDA, Apple's MPS (untested), CPU.

    Raises:
        ValueError: The device is not there.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device('cuda')
        return torch.device('mps' if torch.backends.mps.is_available() else 'cpu')
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f'device {device!r} is unknown to torch; expected cuda, cuda:1, cpu or mps'
        ) from error
    counts = {
        'cuda': torch.cuda.device_count() if torch.cuda.is_available() else 0,
        'mps': int(torch.backends.mps.is_available()),
    }
    if found.type in counts and (found.index or 0) >= counts[found.type]:
        raise ValueError(
            f'device {device!r} is not there: torch sees {counts[found.type]} devices of type '
            f'{found.type} here; use another or device="cpu"'
        )
    return found


def read_config(model: str | Path | Config) -> Config:
    """The config of a file, a name such as ``sapiens_1b/pose_goliath``, or as it is.

    Raises:
        ValueError: There is no such config.
    """
    return model if isinstance(model, Config) else Config.fromfile(str(find_config(model)))


def build_model(config: Config) -> nn.Module:
    """Build the model of a config, whose encoder's own file is read for a tuned part of it alone."""
    settings = config.model.copy()
    backbone = settings.get('backbone')
    if isinstance(backbone, dict) and not backbone.get('tuning'):
        settings['backbone'].pop('init_cfg', None)
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmengine'):
        model = MODELS.build(settings)
    model.cfg = config
    return model


def load_model(
    model: str | Path | Config,
    weights: str | Path | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    compile: bool = False,
    task: str = '',
) -> LoadedModel:
    """Build a model and load its weights, strictly.

    Args:
        model: Config file, parsed config, or a published name such as ``sapiens_1b/pose_goliath``.
        weights: Checkpoint file (``.pth``, TorchScript ``.pt2``, ``.safetensors``) or published name;
            None takes the published ones if ``model`` is a published name.
        device: None picks CUDA if there is a GPU.
        dtype: Precision of the heavy modules: float32 (also for None), float16, bfloat16, or ``auto``, which
            picks by the hardware.
        compile: Whether to use ``torch.compile``; the first batches are slow then.
        task: Of a multitask model, the task to load, without the others; all of it for :data:`WHOLE`
            and for none.

    Raises:
        ValueError: No weights, a multitask model without the task, a config that does not exist, weights that do not fit it or are not finite.
    """
    if weights is None:
        if isinstance(model, Config) or not is_published(str(model)):
            raise ValueError(
                f'model {_name(model)} needs weights: pass weights=FILE, or a published name such as '
                "'sapiens_1b/pose_goliath' as the model"
            )
        weights = str(model)
    config = read_config(model)
    path = find_weights(weights)
    target = pick_device(device)
    precision = parse_dtype(dtype, target)
    content = read_checkpoint(path)
    tensors = content.state_dict
    tasks = config.model.get('tasks', {})
    shared = task in tasks
    if tasks and not shared and task not in ('', WHOLE):
        raise ValueError(
            f'{_name(model)} is a multitask model for {", ".join(tasks)}; it has no {task}'
        )
    if shared:
        config = task_config(config, task)
        tensors = task_tensors(tensors, task)
    built = build_model(config)
    load_state_dict_strict(built, tensors, str(path))
    built.eval().requires_grad_(False).to(target)
    for name, value in built.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(
                f'{path}: {name} holds values that are not finite; the training failed'
            )
    lower_precision(built, precision, target)
    if compile:
        compile_modules(built)
    pool = ThreadPoolExecutor(1, 'sapiens-hash')
    loaded = LoadedModel(built, config, _name(model), path, target, precision, content.meta, shared)
    loaded._hash = pool.submit(sha256_of, path)
    pool.shutdown(wait=False)
    MMLogger.get_current_instance().info(f'{loaded.name} on {target}, {precision}')
    return loaded


def task_config(config: Config, task: str) -> Config:
    """The config of one task of a multitask model, as of a model of its own with the same encoder."""
    alone = copy.deepcopy(config)
    alone.model = {
        **config.model.tasks[task],
        'backbone': config.model.backbone,
        'data_preprocessor': config.model.data_preprocessor,
    }
    return alone


def task_tensors(tensors: dict[str, Tensor], task: str) -> dict[str, Tensor]:
    """Weights of one task and of the encoder, named as a checkpoint of that task alone names them."""
    prefix = f'tasks.{task}.'
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(('backbone.', prefix))
    }


def _name(model: str | Path | Config) -> str:
    if isinstance(model, Config):
        return Path(model.filename).stem if model.filename else 'a config'
    return str(model)


def build_test_pipeline(config: Config) -> list[Any]:
    """The test transforms of a config without those that read files.

    Raises:
        ValueError: The config has no test pipeline.
    """
    steps = config.get('test_pipeline')
    loader = config.get('test_dataloader') or config.get('val_dataloader')
    if loader:
        dataset = loader.dataset
        while 'pipeline' not in dataset and ('dataset' in dataset or 'datasets' in dataset):
            dataset = dataset.get('dataset') or dataset.datasets[0]
        steps = dataset.get('pipeline') or steps
    if not steps:
        raise ValueError(f'{config.filename}: neither test_pipeline nor test_dataloader is set')
    kept = [step for step in steps if not step['type'].rsplit('.', 1)[-1].startswith(_READERS)]
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmengine'):
        return [TRANSFORMS.build(step) for step in kept]
