# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""IoU of body parts for data sets that belong to another task."""

from typing import Any

from sapiens_common.layouts.body_parts import BODY_PART_NAMES
from sapiens_multitask.registry import METRICS
from sapiens_seg.evaluation import ClassIoUMetric


@METRICS.register_module()
class BodyPartIoUMetric(ClassIoUMetric):
    """IoU over the 28 body parts, whatever the data set's own ``classes`` are.

    A multitask model reads its samples with a keypoint data set, which names no classes.

    Args:
        **kwargs: As mmseg's ``IoUMetric``.
    """

    default_prefix = 'parts'

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._dataset_meta = {'classes': BODY_PART_NAMES}

    @property
    def dataset_meta(self) -> dict:
        """The classes of the body parts."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        """What the data set says of itself does not matter here."""
