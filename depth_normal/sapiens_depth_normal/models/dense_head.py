# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The one upsampling head for depth and normals."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from torch import Tensor, nn

from sapiens_common.models import upsample_layers
from sapiens_depth_normal.registry import MODELS

# What a head can regress, and the channels of it.
TARGETS = {'depth': 1, 'normal': 3}


@MODELS.register_module()
class DenseHead(BaseDecodeHead):
    """Transposed convolutions, 1x1 convolutions and a linear 1x1 output: a map per pixel.

    Parameters are named as in the published checkpoints: ``deconv_layers``, ``conv_layers`` and
    ``conv_seg`` (mmseg's name of the output layer).

    Args:
        target: ``depth`` (one channel, relative, 0 nearest) or ``normal`` (three channels XYZ). It names
            the fields ``gt_<target>_map`` that are learned and ``pred_<target>_map`` that are given.
        in_channels: Channels of the encoder's feature map.
        deconv_out_channels: Channels per transposed convolution; each doubles height and width.
        conv_out_channels: Channels per 1x1 convolution.
        loss_decode: One or several losses of this package, summed.
        dropout_ratio: Share of channels dropped before the output in training. The published
            weights were trained with 0.1; a regression is better off without.
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
        **kwargs: Any,
    ) -> None:
        if target not in TARGETS:
            raise ValueError(f'target {target!r} is not one of {list(TARGETS)}')
        widths = [*deconv_out_channels, *conv_out_channels]
        if not widths:
            raise ValueError('deconv_out_channels and conv_out_channels are both empty')
        super().__init__(
            in_channels,
            widths[-1],
            num_classes=TARGETS[target],
            threshold=0.0,  # of binary segmentation; named here only to keep mmseg from warning
            dropout_ratio=dropout_ratio,
            loss_decode=loss_decode,
            **kwargs,
        )
        self.target = target
        self.deconv_layers, self.conv_layers = upsample_layers(
            in_channels, deconv_out_channels, conv_out_channels
        )

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Map encoder outputs, of which ``in_index`` is taken (B, C, h, w), to raw maps (B, T, H, W)."""
        x = self._transform_inputs(inputs)
        return self.cls_seg(self.conv_layers(self.deconv_layers(x)))

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """Losses of raw maps (B, T, h, w), resized to the labels, on the pixels of ``gt_mask``.

        Raises:
            ValueError: A sample lacks the labels.
        """
        target = self._stack(batch_data_samples, f'gt_{self.target}_map')
        mask = self._stack(batch_data_samples, 'gt_mask').bool()
        pred = resize(
            seg_logits, target.shape[2:], mode='bilinear', align_corners=self.align_corners
        )
        several = isinstance(self.loss_decode, nn.ModuleList)
        losses: dict[str, Tensor] = {}
        for criterion in self.loss_decode if several else [self.loss_decode]:
            value = criterion(pred, target, mask)
            losses[criterion.loss_name] = losses.get(criterion.loss_name, 0) + value
        return losses

    @staticmethod
    def _stack(batch_data_samples: list, field: str) -> Tensor:
        """Labels (B, C, H, W) of one field."""
        for sample in batch_data_samples:
            if field not in sample:
                raise ValueError(
                    f'{sample.metainfo.get("img_path", "a sample")} has no {field}: let the dataset '
                    "read that target and end the pipeline with 'sapiens_depth_normal.PackMaps'"
                )
        return torch.stack([sample.get(field).data for sample in batch_data_samples])

    def finalize(self, maps: Tensor) -> Tensor:
        """Turn resized raw maps (..., T, H, W) into what is reported: normals become unit vectors."""
        maps = maps.float()
        return F.normalize(maps, dim=-3, eps=1e-5) if self.target == 'normal' else maps
