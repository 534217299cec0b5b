# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Class-weighted cross-entropy, averaged as published or properly."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmseg.models.losses import CrossEntropyLoss
from torch import Tensor

from sapiens_seg.registry import MODELS
from sapiens_seg.vocabularies import resolve_vocabulary

_AVERAGES = ('weights', 'pixels')


@MODELS.register_module()
class WeightedCrossEntropy(CrossEntropyLoss):
    """Cross-entropy with the class weights of a vocabulary.

    MMSegmentation's own mean with class weights indexes them with the ignored value and fails.

    Args:
        vocabulary: Name or dict (:func:`sapiens_seg.vocabularies.resolve_vocabulary`); one without
            weights counts all classes alike.
        average: ``weights`` divides by the summed class weights of the labelled pixels, so that the
            loss does not depend on how many pixels are ignored or background. ``pixels`` is the
            published recipe: the mean over all pixels, ignored ones included as zeros.
        weights: One weight per class in place of the vocabulary's, such as those that
            ``tools/data/check_dataset.py`` suggests.
        loss_weight: Factor of this loss.
        loss_name: Key in the log; must start with ``loss_`` to be trained.

    Raises:
        ValueError: Unknown ``average``; as many ``weights`` as there are classes were expected.
    """

    def __init__(
        self,
        vocabulary: str | Mapping[str, Any],
        average: str = 'weights',
        weights: Sequence[float] | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ce',
    ) -> None:
        if average not in _AVERAGES:
            raise ValueError(f'average {average!r} is not one of {_AVERAGES}')
        classes = resolve_vocabulary(vocabulary)
        weights = classes.weights if weights is None else weights
        if weights is not None and len(weights) != len(classes.classes):
            raise ValueError(
                f'{len(weights)} weights for the {len(classes.classes)} classes of vocabulary '
                f'{classes.name}'
            )
        super().__init__(
            reduction='none',
            class_weight=list(weights) if weights else None,
            loss_weight=loss_weight,
            loss_name=loss_name,
        )
        self.average = average

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        **kwargs: Any,
    ) -> Tensor:
        """Loss of logits (B, C, H, W) against labels (B, H, W).

        Args:
            cls_score: Logits.
            label: Class ids, int64.
            weight: Optional weight per pixel (B, H, W), of a pixel sampler.
            ignore_index: Label value without loss.
            **kwargs: Of MMSegmentation's ``CrossEntropyLoss``.

        Returns:
            Scalar for ``weights``; the map (B, H, W) for ``pixels``, of which MMEngine logs and
            trains the mean.
        """
        loss = super().forward(cls_score, label, weight, ignore_index=ignore_index, **kwargs)
        if self.average == 'pixels':
            return loss
        labelled = label != ignore_index
        if self.class_weight is None:
            total = labelled.sum()
        else:
            weights = loss.new_tensor([*self.class_weight, 0.0])
            total = weights[label.masked_fill(~labelled, len(self.class_weight))].sum()
        return loss.sum() / total.clamp(min=1e-6)  # nothing labelled: 0 / 1e-6
