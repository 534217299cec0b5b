# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2's head for normals, albedo and matting."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from sapiens_common.models import pixel_shuffle_layers
from sapiens_depth_normal.registry import MODELS

from .map_head import MapHead, Padding, to_unit_length, unpad

KAIMING = [
    dict(type='Kaiming', layer='Conv2d', mode='fan_out', nonlinearity='relu'),
    dict(type='Kaiming', layer='Linear', mode='fan_in', nonlinearity='linear'),
]
"""How Sapiens2's heads start."""


@MODELS.register_module()
class PixelShuffleHead(MapHead):
    """3x3 convolutions that upsample by pixel shuffle, and a linear 1x1 output.

    Outputs are raw: normals have any length, albedo any value; ``matting`` (premultiplied foreground in
    red, green, blue, then alpha) goes through a sigmoid. Parameters are named as in Sapiens2's published
    checkpoints, the output layer apart: ``conv_seg`` here (mmseg's name), ``conv_<target>`` there, see
    :mod:`sapiens_common.checkpoint_names`.

    Args:
        target: ``normal`` (unit vectors XYZ), ``albedo`` (sRGB of 0..1, red first) or ``matting``.
        in_channels: Channels of the encoder's feature map.
        upsample_out_channels: Channels after each upsampling, which doubles height and width.
        conv_out_channels: Channels per convolution at full size.
        loss_decode: One or several losses of this package, summed.
        norm: ``instance``, or ``rms`` over channels, with which albedo was published.
        init_cfg: None is the published start (Kaiming).
        **kwargs: Further arguments of mmseg's ``BaseDecodeHead`` (``in_index``, ...).

    Raises:
        ValueError: Unknown target or norm, or no layer before the output.
    """

    def __init__(
        self,
        target: str,
        in_channels: int,
        upsample_out_channels: Sequence[int],
        conv_out_channels: Sequence[int],
        loss_decode: dict | list[dict],
        norm: str = 'instance',
        init_cfg: dict | list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        widths = [*upsample_out_channels, *conv_out_channels]
        if not widths:
            raise ValueError('upsample_out_channels and conv_out_channels are both empty')
        super().__init__(
            target, in_channels, widths[-1], loss_decode, init_cfg=init_cfg or KAIMING, **kwargs
        )
        self.input_conv, self.upsample_blocks, self.conv_layers = pixel_shuffle_layers(
            in_channels, upsample_out_channels, conv_out_channels, norm
        )

    def forward(self, inputs: tuple[Tensor, ...]) -> Any:
        """Map encoder outputs, of which ``in_index`` is taken (B, C, h, w), to maps (B, T, H, W)."""
        maps = self.decode(self._transform_inputs(inputs))
        return maps.sigmoid() if self.target == 'matting' else maps

    def decode(self, x: Tensor) -> Tensor:
        """Raw maps (B, T, H, W) of features (B, C, h, w)."""
        return self.cls_seg(self.conv_layers(self.upsample_blocks(self.input_conv(x))))

    def restore(self, maps: Tensor, size: tuple[int, int], padding: Padding) -> Tensor:
        """Turn one image's raw maps (T, h, w) into its result (T, H, W), in the published order of steps.

        Normals become unit vectors before they are resized, and again after it (the published code
        leaves them shorter where neighbours differ); albedo and matting are limited to 0..1.
        """
        if self.target == 'normal':
            maps = self.resize_one(unpad(F.normalize(maps, dim=0, eps=1e-8), padding), size)
            return to_unit_length(maps, lambda length: length.clamp_min(1e-8))
        if self.target == 'albedo':
            maps = maps.clamp(0, 1)
        return self.resize_one(unpad(maps, padding), size).clamp_(0, 1)
