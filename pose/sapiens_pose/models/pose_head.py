# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Heatmap head of the Sapiens pose models."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmpose.models.heads import HeatmapHead
from mmpose.structures import PoseDataSample
from torch import Tensor

from sapiens_common.models.upsample import upsample_layers
from sapiens_pose.registry import MODELS


@MODELS.register_module()
class PoseHead(HeatmapHead):
    """mmpose's heatmap head with the decoder of the published weights, and targets made in place.

    Every (de)convolution is followed by InstanceNorm without parameters and SiLU, where upstream has
    BatchNorm and ReLU; the key names coincide, so upstream's head would load these weights and give
    wrong poses. The loss makes its target heatmaps from keypoints, on the device of the features.

    Args:
        in_channels: Channels C of the backbone's feature map (B, C, h, w).
        out_channels: Number of keypoints K.
        deconv_out_channels: Channels per transposed convolution; each doubles height and width.
        conv_out_channels: Channels per 1x1 convolution.
        loss: Loss of heatmaps, targets and weights.
        decoder: A codec with ``encode_batch``, such as ``sapiens_pose.BatchedUDPHeatmap``.
        trained: Only the first so many keypoints are trained, None for all. Of the 308, the first 70 are
            those off the face; without the face a step costs a third less where the model is small.
        init_cfg: None is upstream's normal distribution with std 0.001.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        loss: dict[str, Any],
        decoder: dict[str, Any],
        deconv_out_channels: Sequence[int] = (768, 768),
        conv_out_channels: Sequence[int] = (768, 768),
        trained: int | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(
            in_channels=conv_out_channels[-1],  # what the final layer, built there, receives
            out_channels=out_channels,
            deconv_out_channels=None,
            conv_out_channels=None,
            loss=loss,
            decoder=decoder,
            init_cfg=init_cfg,
        )
        self.in_channels = in_channels
        self.trained = trained
        self.deconv_layers, self.conv_layers = upsample_layers(
            in_channels, deconv_out_channels, conv_out_channels
        )

    def loss(
        self,
        feats: tuple[Tensor, ...],
        batch_data_samples: list[PoseDataSample],
        train_cfg: dict[str, Any] | None = None,
    ) -> dict[str, Tensor]:
        """Loss of a batch.

        Args:
            feats: Feature maps; the last, (B, C, h, w), is used.
            batch_data_samples: B samples whose ``gt_instance_labels`` hold ``keypoints`` (1, K, 2), in
                pixels of the model's input, and ``keypoint_weights`` (1, K).
            train_cfg: Not used; part of upstream's signature.

        Returns:
            ``{'loss_kpt': scalar}``.

        Raises:
            ValueError: The samples have another number of keypoints than the head.
        """
        heatmaps = self._trained_heatmaps(feats)
        labels = [sample.gt_instance_labels for sample in batch_data_samples]
        keypoints = torch.cat([label.keypoints for label in labels])
        visible = torch.cat([label.keypoint_weights for label in labels])
        if keypoints.shape[1] != self.out_channels:
            raise ValueError(
                f'the data has {keypoints.shape[1]} keypoints, the head {self.out_channels}; '
                'set model.head.out_channels to the number in the data'
            )
        keypoints, visible = keypoints[:, : self.trained], visible[:, : self.trained]
        with torch.no_grad():
            targets, weights = self.decoder.encode_batch(keypoints, visible)
        return {'loss_kpt': self.loss_module(heatmaps, targets, weights)}

    def _trained_heatmaps(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Heatmaps float32 of the keypoints that are trained; the others are not computed."""
        if self.trained is None:
            return self.forward(feats).float()
        x = self.conv_layers(self.deconv_layers(feats[-1]))
        weight, bias = (
            self.final_layer.weight[: self.trained],
            self.final_layer.bias[: self.trained],
        )
        return F.conv2d(x, weight, bias).float()  # 1x1: no stride, no padding
