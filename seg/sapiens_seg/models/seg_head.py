# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The segmentation head of the published checkpoints."""

from collections.abc import Sequence
from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor

from sapiens_common.models import upsample_layers
from sapiens_seg.registry import MODELS


@MODELS.register_module()
class SapiensSegHead(BaseDecodeHead):
    """Transposed convolutions (each doubles H and W), 1x1 convolutions, and a dense classifier.

    As in the published models the classifier is preceded by a channel dropout of 0.1 (training
    only). Inputs, losses and prediction are those of MMSegmentation's ``BaseDecodeHead``, so the head
    works over any backbone.

    Args:
        in_channels: Channels of the feature map that ``in_index`` selects.
        num_classes: Classes, background included.
        deconv_out_channels: Output channels per transposed convolution.
        conv_out_channels: Output channels per 1x1 convolution; may be empty.
        **kwargs: Of ``BaseDecodeHead`` (``in_index``, ``loss_decode``, ``dropout_ratio``, ...).

    Raises:
        ValueError: A loss weighs another number of classes than the head has.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        deconv_out_channels: Sequence[int] = (768, 768, 768),
        conv_out_channels: Sequence[int] = (768, 768, 768),
        **kwargs: Any,
    ) -> None:
        channels = [in_channels, *deconv_out_channels, *conv_out_channels][-1]
        kwargs.setdefault('out_channels', num_classes)  # upstream warns of two classes otherwise
        super().__init__(in_channels, channels, num_classes=num_classes, **kwargs)
        losses = [loss for loss in self.modules() if getattr(loss, 'class_weight', None)]
        for loss in losses:
            if len(loss.class_weight) != num_classes:
                raise ValueError(
                    f'the head has num_classes={num_classes}, but {type(loss).__name__} weighs '
                    f'{len(loss.class_weight)} classes; both must follow the same vocabulary'
                )
        self.deconv_layers, self.conv_layers = upsample_layers(
            in_channels, deconv_out_channels, conv_out_channels
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Map feature maps, (B, C, h, w) the selected one, to logits (B, classes, h * 2^N, w * 2^N)."""
        features = self._transform_inputs(inputs)
        return self.cls_seg(self.conv_layers(self.deconv_layers(features)))
