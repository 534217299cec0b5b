# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Test-time augmentation that knows left from right."""

from collections.abc import Mapping
from typing import Any

from mmseg.models.segmentors import SegTTAModel
from mmseg.structures import SegDataSample

from sapiens_seg.registry import MODELS
from sapiens_seg.vocabularies import resolve_vocabulary


@MODELS.register_module()
class BodyPartTTAModel(SegTTAModel):
    """Mean of the class probabilities over scales and mirror images.

    MMSegmentation mirrors the logits of a mirrored image back but leaves the person's left foot in the
    channel of the right one. Here paired channels trade places first. Needs logits at the original
    size, so about 4 bytes per class and pixel for each of the augmented images.

    Args:
        vocabulary: Name or dict; its ``swap_pairs`` are used.
        **kwargs: Of ``SegTTAModel`` (``module``, the config of a segmentor).

    Raises:
        ValueError: The segmentor has another number of classes than the vocabulary.
    """

    def __init__(self, vocabulary: str | Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.module.labels_only = False
        classes = resolve_vocabulary(vocabulary)
        count = len(classes.classes)
        if count != self.module.num_classes:
            raise ValueError(
                f'tta_model: vocabulary {classes.name} has {count} classes, the head '
                f'num_classes={self.module.num_classes}; set tta_model.vocabulary to that of the data'
            )
        self.order = list(range(count))
        for left, right in classes.swap_pairs:
            self.order[left], self.order[right] = right, left

    def merge_preds(self, data_samples_list: list[list[SegDataSample]]) -> list[SegDataSample]:
        """One sample per image from its augmented ones, with ``pred_sem_seg`` (1, H, W)."""
        for samples in data_samples_list:
            for sample in samples:
                if sample.get('flip') and sample.get('flip_direction') == 'horizontal':
                    logits = sample.seg_logits.data  # (C, H, W)
                    sample.seg_logits.data = logits[self.order]
        return super().merge_preds(data_samples_list)
