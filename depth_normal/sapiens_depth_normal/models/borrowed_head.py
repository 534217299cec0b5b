# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Upstream's segmentation heads as regressions, for baselines."""

from typing import Any

from mmseg.models.decode_heads import DPTHead
from torch import Tensor, nn

from sapiens_depth_normal.registry import MODELS

from .map_head import TARGETS, MapHead


@MODELS.register_module()
class BorrowedHead(MapHead):
    """Any decode head of mmseg whose logits are taken for the map: UPerNet, DPT and the like.

    Args:
        target: As in :class:`MapHead`.
        head: Config of the head, such as ``dict(type='mmseg.UPerHead', in_channels=..., channels=...)``, without
            classes and losses. DPT is given the feature maps alone, so its ``readout_type`` is ``ignore``.
        loss_decode: One or several losses of this package, summed.
    """

    def __init__(self, target: str, head: dict[str, Any], loss_decode: dict | list[dict]) -> None:
        super().__init__(target, in_channels=1, channels=1, loss_decode=loss_decode)
        self.conv_seg = nn.Identity()  # the borrowed head has its own
        classes = TARGETS[target]
        self.head = MODELS.build(
            {**head, 'num_classes': classes, 'out_channels': classes, 'threshold': 0.0}
        )
        self.in_channels = self.head.in_channels  # what the encoder is compared with

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Map the encoder's outputs (B, C, h, w) to raw maps (B, T, H, W)."""
        if isinstance(self.head, DPTHead):
            return self.head([(feature, None) for feature in inputs])
        return self.head(inputs)
