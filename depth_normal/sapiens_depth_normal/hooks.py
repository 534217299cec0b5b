# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Pictures during training and of an evaluation."""

from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from sapiens_common.files.images import read_image
from sapiens_depth_normal.registry import HOOKS

from .visualization import comparison, comparison_sheet


@HOOKS.register_module()
class DenseVisualizationHook(Hook):
    """Writes photo, truth, prediction and error side by side to ``<work dir>/vis_data``.

    ``train_<iteration>.jpg`` every ``interval`` iterations, predicted anew from the batch's first samples, and
    ``val.jpg`` or ``test.jpg`` of the first samples of each evaluation. Only the main process draws.

    Args:
        interval: Training iterations between pictures.
        max_samples: Rows per picture.
        unit: Unit of the true depth in evaluation.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 500, max_samples: int = 4, unit: str = 'm') -> None:
        self.interval = interval
        self.max_samples = max_samples
        self.unit = unit
        self._rows: list = []

    @master_only
    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Draw the first samples of this batch."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        images = list(data_batch['inputs'][: self.max_samples])
        samples = [sample.clone() for sample in data_batch['data_samples'][: self.max_samples]]
        # Predict where the labels are: the whole input, padding included, at their size, which may be smaller.
        shapes = [sample.gt_mask.data.shape[-2:] for sample in samples]
        for shape, sample in zip(shapes, samples, strict=True):
            sample.set_metainfo({'ori_shape': shape, 'padding_size': (0, 0, 0, 0)})
        model.eval()
        with torch.no_grad():
            found = model.val_step({'inputs': images, 'data_samples': samples})
        model.train()
        photos = [
            cv2.resize(
                image.permute(1, 2, 0).cpu().numpy(), shape[::-1], interpolation=cv2.INTER_AREA
            )
            for image, shape in zip(images, shapes, strict=True)
        ]
        rows = [comparison(photo, sample) for photo, sample in zip(photos, found, strict=True)]
        self._write(runner, f'train_{runner.iter + 1}', rows)

    def before_val_epoch(self, runner: Runner) -> None:
        """Forget the last evaluation's samples."""
        self._rows = []

    def before_test_epoch(self, runner: Runner) -> None:
        """Forget the last evaluation's samples."""
        self._rows = []

    @master_only
    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Keep the first samples for the picture."""
        self._collect(outputs or [])

    @master_only
    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Keep the first samples for the picture."""
        self._collect(outputs or [])

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the picture of the validation."""
        self._write(runner, 'val', self._rows)

    @master_only
    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the picture of the test."""
        self._write(runner, 'test', self._rows)

    def _collect(self, samples: list[BaseDataElement]) -> None:
        """Draw samples until there are enough."""
        for sample in samples[: self.max_samples - len(self._rows)]:
            self._rows.append(comparison(read_image(sample.img_path), sample, self.unit))

    def _write(self, runner: Runner, name: str, rows: list) -> None:
        """Write one sheet; samples without a person have fewer pictures and are left out."""
        width = max((len(row) for row in rows), default=0)
        rows = [row for row in rows if len(row) == width]
        if not rows:
            return
        path = Path(runner.work_dir) / 'vis_data' / f'{name}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), comparison_sheet(rows)):  # no reason to stop a training
            runner.logger.warning(f'{path} could not be written; is the disk full?')
