# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Heatmap head of the Sapiens pose models."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from mmpose.models.heads import HeatmapHead
from mmpose.registry import KEYPOINT_CODECS
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
            decoder=None,
            init_cfg=init_cfg,
        )
        # In its own scope: where the default scope is a library without codecs, mmengine would warn.
        kind = decoder['type']
        scope = kind.split('.')[0] if isinstance(kind, str) and '.' in kind else None
        with DefaultScope.overwrite_default_scope(scope):
            self.decoder = KEYPOINT_CODECS.build(decoder)
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
            batch_data_samples: B samples whose ``gt_instance_labels`` hold ``keypoint_weights`` (1, K) and
                ``keypoints`` (1, K, 2), in pixels of the model's input, as ``sapiens_pose.PackKeypoints``
                packs them; or whose ``gt_fields`` hold ``heatmaps`` (K, H, W), as mmpose's
                ``GenerateTarget`` and ``PackPoseInputs`` make them.
            train_cfg: Not used; part of upstream's signature.

        Returns:
            ``{'loss_kpt': scalar}``.

        Raises:
            ValueError: The samples have another number of keypoints than the head, targets of another
                size than its heatmaps, or neither keypoints nor targets.
        """
        heatmaps = self._trained_heatmaps(feats)
        with torch.no_grad():
            targets, weights = self._targets(batch_data_samples)
        if targets.shape[2:] != heatmaps.shape[2:]:
            raise ValueError(
                f'the head makes heatmaps of {heatmaps.shape[3]} x {heatmaps.shape[2]}, the targets have '
                f'{targets.shape[3]} x {targets.shape[2]} (width x height); set heatmap_size of '
                'model.head.decoder, and of the encoder of GenerateTarget, to the former'
            )
        return {'loss_kpt': self.loss_module(heatmaps, targets, weights)}

    def _targets(self, samples: list[PoseDataSample]) -> tuple[Tensor, Tensor]:
        """Target heatmaps (B, K, H, W) and weights (B, K) of the keypoints that are trained."""
        labels = [sample.gt_instance_labels for sample in samples]
        made = all('gt_fields' in sample and 'heatmaps' in sample.gt_fields for sample in samples)
        if not made and not all('keypoints' in label for label in labels):
            raise ValueError(
                'the samples hold neither keypoints nor target heatmaps; end the training pipeline with '
                'sapiens_pose.PackKeypoints, or with GenerateTarget and PackPoseInputs'
            )
        weights = torch.cat([label.keypoint_weights for label in labels])
        if weights.shape[1] != self.out_channels:
            raise ValueError(
                f'the data has {weights.shape[1]} keypoints, the head {self.out_channels}; '
                'set model.head.out_channels to the number in the data'
            )
        weights = weights[:, : self.trained]
        if made:
            targets = torch.stack([sample.gt_fields.heatmaps for sample in samples])
            return targets[:, : self.trained], weights
        keypoints = torch.cat([label.keypoints for label in labels])
        return self.decoder.encode_batch(keypoints[:, : self.trained], weights)

    def _trained_heatmaps(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Heatmaps float32 of the keypoints that are trained; the others are not computed."""
        if self.trained is None:
            return self.forward(feats).float()
        x = self.conv_layers(self.deconv_layers(feats[-1]))
        weight = self.final_layer.weight[: self.trained]
        bias = self.final_layer.bias[: self.trained]
        return F.conv2d(x, weight, bias).float()  # 1x1: no stride, no padding
