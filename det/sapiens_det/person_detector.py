# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""People's boxes from any mmdet model, a batch of images at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from torchvision.ops import nms

from sapiens_inference.engine.models import LoadedModel, build_test_pipeline, load_model
from sapiens_inference.inputs.boxes import mark_nobody
from sapiens_inference.items import DETECTOR, Boxes, Item

DEFAULT_MODEL = 'rtmdet_m/det_person_no_nms'
DEFAULT_WEIGHTS = 'rtmdet_m/det_person'


class PersonDetector:
    """Finds people; what the inferencers use when no boxes are given.

    Args:
        model: Config file of any mmdet detector, or a name such as ``rtmdet_m/det_person``.
        weights: Checkpoint file or published name.
        device: None picks the best.
        dtype: Precision of backbone and neck.
        score_thr: Boxes with a lower score are dropped.
        nms_thr: Of two boxes with a larger overlap (IoU) the one with the lower score is dropped. For
            models that suppress duplicates themselves this is a second pass.
        category: Class id of people in the model's output.
        max_people: At most this many, the best ones.
        whole_image_if_nobody: Take the whole image where nobody is found, and say so in the result.

    Raises:
        ImportError: mmcv was installed without its compiled ops, which mmdet needs.
        ValueError: The model or its weights cannot be had; the text says how to do without.
    """

    def __init__(
        self,
        model: str | Path | Config = DEFAULT_MODEL,
        weights: str | Path | None = DEFAULT_WEIGHTS,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        score_thr: float = 0.3,
        nms_thr: float = 0.3,
        category: int = 0,
        max_people: int = 100,
        whole_image_if_nobody: bool = True,
    ) -> None:
        check_ops()
        try:
            self.loaded: LoadedModel = load_model(model, weights, device, dtype)
        except ValueError as error:
            raise ValueError(
                f"{error}. Without a person detector, say where people are: boxes='image' (--boxes image) is "
                'the whole photo'
            ) from error
        self.pipeline = Compose(build_test_pipeline(self.loaded.config))
        self.score_thr, self.nms_thr = score_thr, nms_thr
        self.category, self.max_people = category, max_people
        self.whole_image_if_nobody = whole_image_if_nobody

    def choices(self) -> dict[str, Any]:
        """The weights and settings, as JSON can hold them."""
        names = ('score_thr', 'nms_thr', 'category', 'max_people', 'whole_image_if_nobody')
        return {'sha256': self.loaded.sha256(), **{name: getattr(self, name) for name in names}}

    def __call__(self, items: list[Item]) -> None:
        """Set the boxes of a batch of items."""
        for item, boxes in zip(items, self.detect([item.pixels for item in items]), strict=True):
            item.boxes = boxes
        if self.whole_image_if_nobody:
            mark_nobody(items)

    @torch.inference_mode()
    def detect(self, images: Sequence[np.ndarray]) -> list[Boxes]:
        """Find people in a batch of images.

        Args:
            images: uint8 (H, W, 3) BGR each, of any sizes.

        Returns:
            Boxes per image, best first.
        """
        if not images:
            return []
        samples: list[Any] = []
        for index, image in enumerate(images):
            shape = image.shape[:2]
            samples.append(
                self.pipeline(
                    {
                        'img': image,
                        'img_id': index,
                        'img_path': '',
                        'ori_shape': shape,
                        'img_shape': shape,
                    }
                )
            )
        model: Any = self.loaded.model
        predictions = model.test_step(pseudo_collate(samples))
        return [
            self._select(sample.pred_instances, image.shape)
            for sample, image in zip(predictions, images, strict=True)
        ]

    def _select(self, instances: Any, shape: tuple[int, ...]) -> Boxes:
        """People among a model's predictions, clipped to the image of that shape."""
        good = (instances.labels == self.category) & (instances.scores >= self.score_thr)
        xyxy, scores = instances.bboxes[good].float(), instances.scores[good].float()
        xyxy = xyxy.clamp(min=0)
        xyxy[:, 0::2] = xyxy[:, 0::2].clamp(max=shape[1])
        xyxy[:, 1::2] = xyxy[:, 1::2].clamp(max=shape[0])
        sides = xyxy[:, 2:] - xyxy[:, :2]
        real = (sides >= 1).all(dim=1)
        xyxy, scores = xyxy[real], scores[real]
        kept = nms(xyxy, scores, self.nms_thr)[: self.max_people]
        return Boxes(xyxy[kept].cpu().numpy(), scores[kept].cpu().numpy(), DETECTOR)


def check_ops() -> None:
    """Check that mmcv has its compiled ops.

    Raises:
        ImportError: It has not; the text says what to do.
    """
    try:
        import mmcv.ops  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'the person detector needs mmcv with compiled ops, and this mmcv has none: '
            f'{error}. Run "bash tools/install.sh", or build it: MMCV_WITH_OPS=1 pip install '
            '--no-build-isolation --no-binary mmcv mmcv==2.1.0. Without a detector, give the boxes '
            "yourself (a JSON file or an array), or take boxes='image'"
        ) from error
