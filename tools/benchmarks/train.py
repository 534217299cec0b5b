# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Training steps: forward, backward, clipping, optimizer."""

import gc
from collections.abc import Callable
from typing import Any

import torch
from benchmarks.harness import Settings, Stage, Target, compare, count_flops
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmpose.models.heads import HeatmapHead
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from sapiens_inference.outputs.export import head_of
from sapiens_pose.models import PoseHead

from . import batches
from .models import recipe

_TASKS: dict[str, tuple[str, Callable[[int, tuple[int, int]], batches.Batch]]] = {
    'pose': ('pose', batches.pose_batch),
    'seg': ('seg', batches.seg_batch),
    'depth': ('depth', batches.depth_batch),
    'mae': ('pretrain', batches.mae_batch),
}
_REFERENCE = "mmpose's head and AdamW, float32"


class ReferenceHead(PoseHead):
    """The head with upstream's loss: targets from the loader, and an accuracy computed on the CPU."""

    loss = HeatmapHead.loss


def run(settings: Settings) -> Stage:
    """Time and weigh steps of every task; for pose, against upstream's step on ready-made targets."""
    stage = Stage(
        'train', 'Steps on made-up batches: forward, backward, clipping, optimizer; random weights.'
    )
    sizes = settings.sizes or (('1b',) if settings.on_gpu else ('tiny',))
    tasks = ('pose',) if settings.quick else tuple(_TASKS)
    batch = settings.batches or ((2, 8) if settings.on_gpu else (8,))
    for size in sizes:
        for task in (task for task in tasks if recipe(_TASKS[task][0], size)):
            for count in (1,) if settings.quick else batch:
                stage.comparisons.append(_measure(task, size, count, settings))
                gc.collect()
        if settings.on_gpu and not size.endswith('tiny'):
            for found in stage.comparisons:
                best = max(case.peak_share or 0 for case in found.cases)
                what = f'{found.job}: share of the bf16 peak'
                stage.targets.append(Target(what, 0.45, best))
    stage.notes.append(
        "Operations are those of the model without recomputation. The reference's step gets its "
        'heatmaps for nothing: they are made before the clock starts. Differences are relative, of the '
        'losses of the first step.'
    )
    return stage


def _measure(task: str, size: str, batch: int, settings: Settings) -> Any:
    """All ways of a step of one task."""
    folder, make_batch = _TASKS[task]
    config = Config.fromfile(recipe(folder, size))
    dtypes = ('bfloat16',) if settings.on_gpu else ('float32', 'bfloat16')
    image = _image_size(config)
    data = make_batch(batch, image)
    ways: dict[str, Callable[[], float]] = {}
    if task == 'pose' and not (settings.on_gpu and size.endswith(('1b', '2b', '5b')) and batch > 4):
        ways[_REFERENCE] = _reference_step(config, batch, image, settings)
    for dtype in dtypes:
        for with_cp in (False,) if settings.quick else (False, True):
            name = f'{dtype}, blocks recomputed' if with_cp else dtype
            ways[name] = training_step(config, data, dtype, with_cp, settings)
    return compare(
        f'{task} {size}, {image[0]} x {image[1]}, batch {batch}',
        ways,
        settings,
        baseline=_REFERENCE if _REFERENCE in ways else next(iter(ways)),
        unit='image',
        items=batch,
        dtype={name: 'bfloat16' if 'bfloat16' in name else 'float32' for name in ways},
        rounds=5,
        flops=_count(config, data),
        memory=True,
        difference=lambda a, b: abs(a - b) / abs(b),
        tolerance={name: 0.05 if 'bfloat16' in name else 1e-4 for name in ways},
    )


def _image_size(config: Config) -> tuple[int, int]:
    """(height, width) the recipe trains at."""
    return tuple(config.model.backbone.img_size)


def _build(config: Config, device: str, **backbone: Any) -> Any:
    """The config's model with the same random weights each time."""
    settings = config.model.copy()
    settings.backbone = {**settings.backbone, **backbone}
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmengine'):
        model = MODELS.build(settings)
    return model.to(device).train()


def _trainer(model: Any, data: batches.Batch, wrapper: Any) -> Callable[[], float]:
    """A step that returns the loss of the first one, whenever it is called."""
    first: list[float] = []

    def step() -> float:
        torch.manual_seed(1)  # masks and dropout
        with wrapper.optim_context(model):
            inputs = model.data_preprocessor(
                {
                    'inputs': list(data['inputs']),
                    'data_samples': [s.clone() for s in data['data_samples']],
                },
                True,
            )
            losses = model(**inputs, mode='loss')
            loss, _ = model.parse_losses(losses)
        wrapper.update_params(loss)
        if not first:
            first.append(loss.item())
        return first[0]

    return step


def training_step(
    config: Config, data: batches.Batch, dtype: str, with_cp: bool, settings: Settings
) -> Callable[[], float]:
    """This suite's step."""
    model = _build(config, settings.device, with_cp=with_cp)
    wrapper = config.optim_wrapper.copy()
    wrapper.update(type='sapiens_train.SapiensOptimWrapper', dtype=dtype)
    if settings.compile_mode:
        model.backbone.compile(mode=settings.compile_mode)
    return _trainer(model, data, build_optim_wrapper(model, wrapper))


def _reference_step(
    config: Config, batch: int, image: tuple[int, int], settings: Settings
) -> Callable[[], float]:
    """Mmpose's step: float32, heatmaps copied to the device, accuracy every time, plain AdamW."""
    model = _build(config, settings.device, with_cp=False)
    codec = KEYPOINT_CODECS.build({**config.codec, 'type': 'mmpose.UDPHeatmap'})
    model.head.__class__ = ReferenceHead
    model.head.decoder = codec
    wrapper = config.optim_wrapper.copy()
    wrapper.type = 'OptimWrapper'
    wrapper.optimizer = {**wrapper.optimizer, 'fused': False}
    data = batches.pose_batch_with_heatmaps(batch, image, codec)
    return _trainer(model, data, build_optim_wrapper(model, wrapper))


def _count(config: Config, data: batches.Batch) -> int:
    """Operations of forward and backward, counted on the meta device."""
    model = _build(config, 'meta', with_cp=False)
    shape = (len(data['inputs']), 3, *data['inputs'][0].shape[-2:])
    images = torch.empty(shape, device='meta')

    def job() -> None:
        features = model.backbone(images) if 'neck' not in config.model else None
        if features is None:
            latent, _, restore = model.backbone(images)
            output: Tensor = model.neck(latent, restore)
        else:
            output = head_of(model)[1](features)
        output.sum().backward()

    return count_flops(job)
