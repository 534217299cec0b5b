# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One encoder, several tasks: whole task models whose backbone hands out features already computed."""

import threading
from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModel, BaseModule, ModuleDict
from mmengine.structures import BaseDataElement
from mmseg.structures import SegDataSample
from torch import Tensor

from sapiens_inference.engine.models import task_tensors
from sapiens_multitask.registry import MODELS


class _Held(threading.local):
    """The features of each module, by its ``id``, in the thread that runs it."""

    def __init__(self) -> None:
        self.features: dict[int, tuple[Tensor, ...]] = {}


# Outside of the modules, which are copied and stored.
_HELD = _Held()


@MODELS.register_module()
class SharedFeatures(BaseModule):
    """Backbone of a task inside :class:`MultitaskModel`: returns the features it was given last.

    Several threads may run one model, each with features of its own.
    """

    def hold(self, features: tuple[Tensor, ...] | None) -> None:
        """Keep features for the next calls of this thread, or drop them."""
        if features is None:
            _HELD.features.pop(id(self), None)
        else:
            _HELD.features[id(self)] = features

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """The features that belong to ``inputs``.

        Raises:
            ValueError: Called outside of a :class:`MultitaskModel`.
        """
        if id(self) not in _HELD.features:
            raise ValueError('SharedFeatures holds no features; run the MultitaskModel around it')
        return _HELD.features[id(self)]


@MODELS.register_module()
class MultitaskModel(BaseModel):
    """Pose, segmentation, depth, normals or others from one pass of one encoder.

    Each task is an ordinary MMLab model with an encoder and a head (``mmpose.TopdownPoseEstimator``,
    ``sapiens_seg.BodyPartSegmentor``, :class:`DenseRegressor`, ...) whose backbone is
    :class:`SharedFeatures`; its loss and its prediction are its own. Parameters are named
    ``backbone.*`` and ``tasks.<name>.<head>.*``.

    Args:
        backbone: Config of the encoder.
        tasks: Config of a model per task name.
        loss_weights: Factor of each task's losses; tasks not named count once.
        trained: Tasks whose losses are taken; the heads of the others stay as ``init_cfg`` loads them, to the bit. None:
            all. The encoder learns from these alone, unless its ``frozen_stages`` say otherwise.
        data_preprocessor: Config of the preprocessing, for all tasks.
        init_cfg: As mmengine's ``BaseModule``.

    Raises:
        ValueError: A task has a backbone of its own or asks for ``flip_test``, a weight or ``trained`` is for no
            task, or mmpose's or mmseg's ``init_model`` builds the model.
    """

    def __init__(
        self,
        backbone: dict,
        tasks: dict[str, dict],
        loss_weights: dict[str, float] | None = None,
        trained: Sequence[str] | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
        **upstream: Any,
    ) -> None:
        if upstream:  # which init_model of mmpose and mmseg set
            raise ValueError(
                f"MultitaskModel takes no {', '.join(upstream)}; upstream's inferencers know one task each. Take "
                'tools/demo.py multitask, MultitaskInferencer, or the inferencer of one task'
            )
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.tasks = ModuleDict({name: MODELS.build(task) for name, task in tasks.items()})
        own = [n for n, task in self.tasks.items() if not isinstance(task.backbone, SharedFeatures)]
        if own:
            raise ValueError(
                f"tasks {own}: set backbone=dict(type='sapiens_multitask.SharedFeatures')"
            )
        flipped = [n for n, task in tasks.items() if (task.get('test_cfg') or {}).get('flip_test')]
        if flipped:
            raise ValueError(
                f'tasks {flipped}: set test_cfg.flip_test=False; the features that the tasks share are of the image, '
                'and the mirrored one has others'
            )
        for title, given in (('loss_weights', loss_weights), ('trained', trained)):
            unknown = set(given or ()) - set(tasks)
            if unknown:
                raise ValueError(f'{title} of {sorted(unknown)}, but the tasks are {list(tasks)}')
        self.loss_weights = {name: (loss_weights or {}).get(name, 1.0) for name in tasks}
        self.trained = tuple(tasks if trained is None else trained)
        for name, task in self.tasks.items():
            task.requires_grad_(name in self.trained)

    def train(self, mode: bool = True) -> 'MultitaskModel':
        """Set training mode; heads that are not trained keep the statistics of their norms too."""
        super().train(mode)
        for name, task in self.tasks.items():
            task.train(mode and name in self.trained)
        return self

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[BaseDataElement] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Run all tasks on normalised RGB images (B, 3, H, W).

        Args:
            inputs: Images.
            data_samples: One per image with what the tasks need: labels for ``loss``, ``ori_shape`` and
                what else their predictions want for ``predict``.
            mode: ``loss``: dict of scalars, keys ``<task>.<name>``, of the tasks that are trained; ``predict``: the
                samples with all tasks' predictions; ``tensor``: raw outputs by task name.
        """
        if mode == 'predict' and data_samples is None:
            shape = inputs.shape[2:]
            data_samples = [SegDataSample(metainfo={'ori_shape': shape}) for _ in inputs]
        features = self.backbone(inputs)
        results: dict[str, Any] = {}
        for name, task in self.tasks.items():
            if mode == 'loss' and name not in self.trained:
                continue
            task.backbone.hold(features)
            try:
                found = task(inputs, data_samples, mode=mode)
            finally:
                task.backbone.hold(None)
            if mode != 'loss':
                results[name] = found
                continue
            for key, value in found.items():
                if 'loss' in key:
                    value = value * self.loss_weights[name]
                results[f'{name}.{key}'] = value
        return data_samples if mode == 'predict' else results

    def task_state_dict(self, name: str) -> dict[str, Tensor]:
        """Weights of one task with the encoder's, named as a single-task checkpoint names them."""
        return task_tensors(self.state_dict(), name)
