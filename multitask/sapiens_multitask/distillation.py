# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Task models that learn from a teacher beside their labels (knowledge distillation).

A distilled model is its task's ordinary model with one more argument. Its parameters, checkpoints and predictions are
the student's alone; the teacher is loaded when the first loss is computed, and never otherwise.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmpose.models import TopdownPoseEstimator
from torch import Tensor, nn

from sapiens_depth_normal.models import DenseRegressor
from sapiens_inference.engine.models import load_model
from sapiens_inference.outputs.export import head_of
from sapiens_multitask.models import MultitaskModel
from sapiens_multitask.registry import MODELS
from sapiens_seg.models import BodyPartSegmentor

Features = tuple[Tensor, ...]


class Distillation:
    """Adds losses against a teacher to a model of mmpose or mmseg, or to a :class:`MultitaskModel`.

    Losses are named ``loss_distill_features`` and ``loss_distill_output``, of several tasks
    ``loss_distill_<task>``. The student's heads run a second time for them.

    Args:
        *args: Of the task's model.
        distillation: ``teacher``: arguments of :func:`sapiens_inference.engine.models.load_model`, such as
            ``dict(model='sapiens_1b/seg_goliath')`` or ``dict(model=CONFIG, weights=FILE, dtype='auto')``. It may be of
            any size and generation; images are resized to its input. ``outputs``: a loss of the student's raw
            maps and the teacher's, both (B, C, h, w), such as ``mmpose.KeypointMSELoss`` for heatmaps or
            :class:`SoftLabelLoss` for classes; for several tasks a loss for each that is to be distilled; None for
            none. ``features``: a loss of the two encoders' last maps, whose channels may differ; None for none.
        **kwargs: Of the task's model.

    Raises:
        ValueError: When the first loss is computed: the teacher cannot be loaded, or has other channels
            than the student.
    """

    def __init__(self, *args: Any, distillation: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = dict(distillation)
        self._teacher_args = dict(settings.pop('teacher'))
        # In a list and not a module of this one: it is in no checkpoint, no optimizer, no wrapper, and no train().
        self._teacher: list[nn.Module] = []
        features, outputs = settings.pop('features', None), settings.pop('outputs', None) or {}
        assert not settings, f'unknown settings of distillation: {list(settings)}'
        self._feature_loss = features and MMENGINE_MODELS.build(features)
        single = {'output': outputs} if 'type' in outputs else outputs
        self._output_losses = {name: MMENGINE_MODELS.build(loss) for name, loss in single.items()}

    def teacher(self, device: torch.device) -> Any:
        """The teacher in evaluation mode, without gradients, on a device."""
        if not self._teacher:
            loaded = load_model(**{'device': device, **self._teacher_args})
            self._teacher.append(loaded.model)
        return self._teacher[0]

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        """As the task's model; of mode ``loss`` with the teacher's losses added."""
        model: Any = super()
        if mode != 'loss':
            return model.forward(inputs, data_samples, mode=mode)
        seen: list[Features] = []
        student: Any = self
        hook = student.backbone.register_forward_hook(lambda _m, _i, output: seen.append(output))
        try:
            losses = model.forward(inputs, data_samples, mode=mode)
        finally:
            hook.remove()
        return {**losses, **self._losses(inputs, seen[0])}

    def _losses(self, inputs: Tensor, features: Features) -> dict[str, Tensor]:
        teacher = self.teacher(inputs.device)
        with torch.no_grad():
            known = teacher.backbone(_resize(inputs, teacher.backbone))
        losses = {}
        if self._feature_loss is not None:
            losses['loss_distill_features'] = self._feature_loss(features[-1], known[-1])
        own_heads, teachers = heads_of(self), heads_of(teacher)
        for name, criterion in self._output_losses.items():
            if name not in own_heads or name not in teachers:
                raise ValueError(
                    f'distillation: outputs names {name!r}; the student has {list(own_heads)}, the teacher '
                    f'{list(teachers)}'
                )
            own = _maps(own_heads[name].forward(features))
            with torch.no_grad():
                taught = _maps(teachers[name].forward(known))
            if own.shape[1] != taught.shape[1]:
                raise ValueError(
                    f'distillation: the student has {own.shape[1]} channels of {name}, the teacher '
                    f'{taught.shape[1]}; take a teacher of the same classes or points, or features alone'
                )
            if own.shape[2:] != taught.shape[2:]:
                taught = F.interpolate(taught, own.shape[2:], mode='bilinear')
            losses[f'loss_distill_{name}'] = criterion(own, taught)
        return losses


def heads_of(model: Any) -> dict[str, Any]:
    """Heads by task of a :class:`MultitaskModel`, or the only one, called ``output``."""
    tasks = getattr(model, 'tasks', None) or {'output': model}
    return {name: head_of(task)[1] for name, task in tasks.items()}


def _maps(output: Any) -> Tensor:
    """Raw maps (B, C, h, w) of a head's output; of a pointmap its canonical points."""
    return (output[0] if isinstance(output, tuple) else output).float()


def _resize(images: Tensor, encoder: Any) -> Tensor:
    """Images (B, 3, H, W) at the size that an encoder is made for, where it has one."""
    size = getattr(encoder, 'img_size', images.shape[2:])
    size = (size, size) if isinstance(size, int) else tuple(size)
    if size == tuple(images.shape[2:]):
        return images
    return F.interpolate(images, size, mode='bilinear', antialias=True)


@MODELS.register_module()
class DistilledPoseEstimator(Distillation, TopdownPoseEstimator):
    """``mmpose.TopdownPoseEstimator`` with a teacher, see :class:`Distillation`."""


@MODELS.register_module()
class DistilledSegmentor(Distillation, BodyPartSegmentor):
    """``sapiens_seg.BodyPartSegmentor`` with a teacher, see :class:`Distillation`."""


@MODELS.register_module()
class DistilledRegressor(Distillation, DenseRegressor):
    """``sapiens_depth_normal.DenseRegressor`` with a teacher, see :class:`Distillation`."""


@MODELS.register_module()
class DistilledMultitaskModel(Distillation, MultitaskModel):
    """``sapiens_multitask.MultitaskModel`` with a teacher of the same or more tasks, see :class:`Distillation`."""


@MODELS.register_module()
class SoftLabelLoss(nn.Module):
    """Kullback-Leibler divergence of the student's class probabilities from the teacher's (Hinton et al., 2015).

    mmseg's ``KLDivLoss`` takes no logarithm of the student's probabilities and cannot be used.

    Args:
        temperature: Both logits are divided by it; the loss is multiplied by its square.
        loss_weight: Factor of the loss.
    """

    def __init__(self, temperature: float = 1.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Mean over pixels of logits (B, C, h, w)."""
        log_p = F.log_softmax(student / self.temperature, dim=1)
        log_q = F.log_softmax(teacher / self.temperature, dim=1)
        divergence = F.kl_div(log_p, log_q, reduction='none', log_target=True).sum(1).mean()
        return self.loss_weight * self.temperature**2 * divergence


@MODELS.register_module()
class PairwiseSimilarityLoss(nn.Module):
    """How alike two places of an image are must be the same for student and teacher (Liu et al., "Structured Knowledge
    Distillation for Semantic Segmentation", CVPR 2019, equation 2).

    It compares cosines between places and not features, so it needs no layer that makes channels equal.

    Args:
        grid: (rows, columns) that both maps are averaged to; the memory grows with the square of their product.
        loss_weight: Factor of the loss.
    """

    def __init__(self, grid: tuple[int, int] = (8, 6), loss_weight: float = 1.0) -> None:
        super().__init__()
        rows, columns = grid
        self.grid = (rows, columns)
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Mean squared difference of the cosines of features (B, C, h, w) and (B, D, H, W)."""
        own, taught = self._cosines(student), self._cosines(teacher)
        return self.loss_weight * F.mse_loss(own, taught)

    def _cosines(self, features: Tensor) -> Tensor:
        """Cosines (B, N, N) between the N places of a grid."""
        places = F.adaptive_avg_pool2d(features.float(), self.grid).flatten(2)
        places = F.normalize(places, dim=1)
        return places.transpose(1, 2) @ places
