# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The upsampling head of Sapiens's depth and normals."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sapiens_common.models import upsample_layers
from sapiens_depth_normal.registry import MODELS

from .map_head import MapHead, Padding, to_unit_length, unpad


@MODELS.register_module()
class DenseHead(MapHead):
    """Transposed convolutions, 1x1 convolutions and a linear 1x1 output: a map per pixel.

    Parameters are named as in Sapiens's published checkpoints: ``deconv_layers``, ``conv_layers`` and
    ``conv_seg`` (mmseg's name of the output layer).

    Args:
        target: ``depth`` (one channel, relative, 0 nearest), ``normal`` (three channels XYZ) or another of
            :data:`sapiens_depth_normal.models.map_head.TARGETS`. It names the fields ``gt_<target>_map``
            that are learned and ``pred_<target>_map`` that are given.
        in_channels: Channels of the encoder's feature map.
        deconv_out_channels: Channels per transposed convolution; each doubles height and width.
        conv_out_channels: Channels per 1x1 convolution.
        loss_decode: One or several losses of this package, summed.
        dropout_ratio: Share of channels dropped before the output in training. The published
            weights were trained with 0.1; a regression is better off without.
        normal_offset: Added to the length that normals are divided by. Sapiens's own demo adds 1e-5,
            which leaves what the model predicted very short (below 0.01) shorter than a unit vector.
        **kwargs: Further arguments of mmseg's ``BaseDecodeHead`` (``in_index``, ``init_cfg``, ...).

    Raises:
        ValueError: Unknown target, or no layer before the output.
    """

    def __init__(
        self,
        target: str,
        in_channels: int,
        deconv_out_channels: Sequence[int],
        conv_out_channels: Sequence[int],
        loss_decode: dict | list[dict],
        dropout_ratio: float = 0.0,
        normal_offset: float = 0.0,
        **kwargs: Any,
    ) -> None:
        widths = [*deconv_out_channels, *conv_out_channels]
        if not widths:
            raise ValueError('deconv_out_channels and conv_out_channels are both empty')
        super().__init__(target, in_channels, widths[-1], loss_decode, dropout_ratio, **kwargs)
        self.normal_offset = normal_offset
        self.deconv_layers, self.conv_layers = upsample_layers(
            in_channels, deconv_out_channels, conv_out_channels
        )

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Map encoder outputs, of which ``in_index`` is taken (B, C, h, w), to raw maps (B, T, H, W)."""
        x = self._transform_inputs(inputs)
        return self.cls_seg(self.conv_layers(self.deconv_layers(x)))

    def restore(self, maps: Tensor, size: tuple[int, int], padding: Padding) -> Tensor:
        """As the base class, with ``normal_offset``."""
        if self.target != 'normal' or not self.normal_offset:
            return super().restore(maps, size, padding)
        maps = self.resize_one(unpad(maps, padding), size)
        return to_unit_length(maps, lambda length: length + self.normal_offset)
