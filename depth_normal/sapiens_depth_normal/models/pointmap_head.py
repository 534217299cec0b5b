# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2's head for pointmaps: canonical points, and the factor that turns them into metres."""

from collections.abc import Sequence
from math import ceil, prod
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from sapiens_depth_normal.registry import MODELS

from .map_head import Padding, add_up, stack, unpad
from .pixel_shuffle_head import PixelShuffleHead
from .points import Pointmaps


@MODELS.register_module()
class PointmapHead(PixelShuffleHead):
    """Points per pixel as a camera of a canonical focal length would see them, and one scale per image.

    Axes are the camera's: x right, y down, z forward. Canonical points are metres times ``scale``, which is
    the canonical focal length over the focal length of the network's input; so points over scale are metres.
    The scale is regressed from the same features: 1x1 convolutions that keep every second position, then
    linear layers. They fix the size of the input.

    Args:
        in_channels: Channels of the encoder's feature map.
        grid_size: (rows, columns) of that map.
        scale_conv_out_channels: Channels per convolution of the scale branch; each halves the grid.
        scale_linear_out_channels: Widths of the linear layers before the last.
        canonical_focal: Canonical focal length in pixels.
        **kwargs: Further arguments of :class:`PixelShuffleHead`. The losses are those of
            ``sapiens_depth_normal.models.pointmap_losses``.

    Raises:
        ValueError: As :class:`PixelShuffleHead`; a feature map of another size.
    """

    def __init__(
        self,
        in_channels: int,
        grid_size: tuple[int, int],
        scale_conv_out_channels: Sequence[int] = (1536, 512, 128),
        scale_linear_out_channels: Sequence[int] = (512, 128),
        canonical_focal: float = 768.0,
        **kwargs: Any,
    ) -> None:
        super().__init__('point', in_channels, **kwargs)
        self.grid_size = tuple(grid_size)
        self.canonical_focal = canonical_focal
        convs: list[nn.Module] = []
        width = in_channels
        for channels in scale_conv_out_channels:
            conv = nn.Conv2d(width, channels, kernel_size=1, stride=2)
            convs += [conv, nn.InstanceNorm2d(channels), nn.SiLU(inplace=True)]
            width = channels
        halvings = 2 ** len(scale_conv_out_channels)
        width *= prod(ceil(side / halvings) for side in self.grid_size)
        linears: list[nn.Module] = [nn.Flatten()]
        for channels in scale_linear_out_channels:
            linears += [nn.Linear(width, channels), nn.SiLU(inplace=True)]
            width = channels
        linears.append(nn.Linear(width, 1))
        self.scale_conv_layers = nn.Sequential(*convs)
        self.scale_final_layer = nn.Sequential(*linears)

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Map encoder outputs to canonical points (B, 3, H, W) and scales (B, 1)."""
        x = self._transform_inputs(inputs)
        if x.shape[2:] != self.grid_size:
            raise ValueError(
                f'PointmapHead: the features are {tuple(x.shape[2:])}, its scale branch is made for '
                f'{self.grid_size} (rows, columns); resize images to the size in the config'
            )
        return self.decode(x), self.scale_final_layer(self.scale_conv_layers(x))

    def loss(self, inputs: Sequence[Tensor], batch_data_samples: list, train_cfg: Any) -> dict:
        """As mmseg's, in float32 whatever the encoder trains in, as published.

        Neighbouring points are closer than the steps of bfloat16 (0.004 at a depth of 0.5 to 1), and the
        normals of surfaces are made from their differences.
        """
        with torch.autocast(inputs[0].device.type, enabled=False):
            features = [feature.float() for feature in inputs]
            return super().loss(features, batch_data_samples, train_cfg)

    def loss_by_feat(
        self, seg_logits: tuple[Tensor, Tensor], batch_data_samples: list
    ) -> dict[str, Tensor]:
        """Losses of points and scales; the true points are made from depth here, on the device.

        Args:
            seg_logits: Points (B, 3, h, w) and scales (B, 1).
            batch_data_samples: Samples with ``gt_depth_map`` in metres, ``gt_mask``, and in their metadata
                ``intrinsics`` (3, 3) of the network's input.

        Raises:
            ValueError: A sample lacks the labels.
        """
        points, pred_scale = seg_logits
        depth = stack(batch_data_samples, 'gt_depth_map')
        mask = stack(batch_data_samples, 'gt_mask').bool()
        intrinsics = torch.stack([intrinsics_of(sample) for sample in batch_data_samples])
        maps = Pointmaps.from_depth(
            self.resize_to(points, depth),
            pred_scale,
            depth,
            mask,
            intrinsics.to(depth.device),
            self.canonical_focal,
        )
        return add_up(self.criteria, lambda criterion: criterion(maps))

    def predict_by_feat(
        self, seg_logits: tuple[Tensor, Tensor], batch_img_metas: list[dict]
    ) -> tuple[Tensor, Tensor]:
        """Points at the size of the network's input, and scales."""
        points, scale = seg_logits
        return super().predict_by_feat(points, batch_img_metas), scale

    def store(self, maps: Any, samples: Sequence[BaseDataElement]) -> None:
        """Put points in metres into the samples as ``pred_point_map``, and ``pred_scale`` (float)."""
        points, scale = maps
        super().store(points.float() / scale.float()[:, :, None, None], samples)
        for one, sample in zip(scale, samples, strict=True):
            sample.set_metainfo({'pred_scale': one.item()})

    def restore(self, maps: Tensor, size: tuple[int, int], padding: Padding) -> Tensor:
        """Points in metres (3, h, w) at the original size (3, H, W), smoothed before they are enlarged."""
        maps = unpad(maps, padding)
        if size[0] > maps.shape[1] or size[1] > maps.shape[2]:
            for _ in range(4):
                maps = gaussian_blur(maps, [3, 3], [0.8, 0.8])
        return self.resize_one(maps, size)


def intrinsics_of(sample: BaseDataElement) -> Tensor:
    """Pinhole matrix (3, 3), float32, of a sample's image.

    Raises:
        ValueError: The sample has none.
    """
    if 'intrinsics' not in sample.metainfo:
        raise ValueError(
            f'{sample.metainfo.get("img_path", "a sample")} has no intrinsics; pointmaps need the '
            "camera: read the set with targets=['depth', 'camera']"
        )
    return torch.as_tensor(sample.metainfo['intrinsics'], dtype=torch.float32)
