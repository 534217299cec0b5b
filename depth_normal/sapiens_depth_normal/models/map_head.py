# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the heads of all per-pixel regressions share: the target, its losses and its samples."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement, PixelData
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from torch import Tensor, nn

# What a head can regress, and the channels of it.
TARGETS = {'depth': 1, 'normal': 3, 'albedo': 3, 'point': 3, 'matting': 4}
_ROWS = 256
Padding = tuple[int, int, int, int]  # left, right, top, bottom, in pixels of the network's input


class MapHead(BaseDecodeHead):
    """Base of the heads that regress a map per image.

    The output layer is mmseg's, a 1x1 convolution named ``conv_seg``.

    Args:
        target: A key of :data:`TARGETS`. It names the fields ``gt_<target>_map`` that are learned and
            ``pred_<target>_map`` that are given.
        in_channels: Channels of the encoder's feature map.
        channels: Channels that the output layer receives.
        loss_decode: One or several losses of this package, summed.
        dropout_ratio: Share of channels dropped before the output in training.
        **kwargs: Further arguments of mmseg's ``BaseDecodeHead`` (``in_index``, ``init_cfg``, ...).

    Raises:
        ValueError: Unknown target.
    """

    def __init__(
        self,
        target: str,
        in_channels: int,
        channels: int,
        loss_decode: dict | list[dict],
        dropout_ratio: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if target not in TARGETS:
            raise ValueError(f'target {target!r} is not one of {list(TARGETS)}')
        super().__init__(
            in_channels,
            channels,
            num_classes=TARGETS[target],
            threshold=0.0,  # of binary segmentation; named here only to keep mmseg from warning
            dropout_ratio=dropout_ratio,
            loss_decode=loss_decode,
            **kwargs,
        )
        self.target = target

    @property
    def criteria(self) -> list[nn.Module]:
        """The losses, one or several."""
        several = isinstance(self.loss_decode, nn.ModuleList)
        return list(self.loss_decode) if several else [self.loss_decode]

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """Losses of raw maps (B, T, h, w), resized to the labels, on the pixels of ``gt_mask``.

        Raises:
            ValueError: A sample lacks the labels.
        """
        target = stack(batch_data_samples, f'gt_{self.target}_map')
        mask = stack(batch_data_samples, 'gt_mask').bool()
        pred = self.resize_to(seg_logits, target)
        return add_up(self.criteria, lambda criterion: criterion(pred, target, mask))

    def resize_to(self, maps: Tensor, target: Tensor) -> Tensor:
        """Raw maps (B, T, h, w) at the size of the target (B, C, H, W)."""
        return resize(maps, target.shape[2:], mode='bilinear', align_corners=self.align_corners)

    def store(self, maps: Tensor, samples: Sequence[BaseDataElement]) -> None:
        """Put each image's result, at its ``ori_shape``, into its sample as ``pred_<target>_map``.

        Of a matte, ``pred_alpha_map`` is the alpha alone.

        Args:
            maps: Raw maps (B, T, H, W) at the size of the network's input.
            samples: One per image; ``padding_size`` (left, right, top, bottom) is what was added to it.
        """
        for one, sample in zip(maps, samples, strict=True):
            size = tuple(sample.metainfo.get('ori_shape', one.shape[1:])[:2])
            padding = tuple(sample.metainfo.get('padding_size', (0, 0, 0, 0)))
            result = self.restore(one.float(), size, padding)
            sample.set_data({f'pred_{self.target}_map': PixelData(data=result)})
            if self.target == 'matting':
                sample.set_data({'pred_alpha_map': PixelData(data=result[3:])})

    def restore(self, maps: Tensor, size: tuple[int, int], padding: Padding) -> Tensor:
        """Turn one image's raw maps (T, h, w) into its result (T, H, W).

        Args:
            maps: Raw float32 maps at the size of the network's input.
            size: (height, width) of the original image.
            padding: What to cut off first.
        """
        maps = self.resize_one(unpad(maps, padding), size)
        return (
            to_unit_length(maps, lambda length: length.clamp_min(1e-5))
            if self.target == 'normal'
            else maps
        )

    def resize_one(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Resize one image's maps (T, h, w) bilinearly to (height, width).

        The values of a pixel lie side by side in memory: ``permute(1, 2, 0)`` is contiguous. Photos may
        have hundreds of megapixels, so there is one copy of the result and one channel of another.
        """
        result = maps.new_empty((*size, len(maps)))
        for channel, one in enumerate(maps):
            result[..., channel] = resize(
                one[None, None],
                size,
                mode='bilinear',
                align_corners=self.align_corners,
                warning=False,
            )[0, 0]
        return result.permute(2, 0, 1)


def to_unit_length(maps: Tensor, divisor: Callable[[Tensor], Tensor]) -> Tensor:
    """Divide vectors (3, H, W) by a function of their length, in place, some rows at a time."""
    for start in range(0, maps.shape[1], _ROWS):
        rows = maps[:, start : start + _ROWS]
        rows /= divisor(rows.norm(dim=0, keepdim=True))
    return maps


def unpad(maps: Tensor, padding: Padding) -> Tensor:
    """Cut padding (left, right, top, bottom) off maps (..., H, W)."""
    left, right, top, bottom = padding
    return maps[..., top : maps.shape[-2] - bottom, left : maps.shape[-1] - right]


def add_up(criteria: Sequence[nn.Module], value_of: Any) -> dict[str, Tensor]:
    """Sums of the values of losses by their log names."""
    losses: dict[str, Tensor] = {}
    for criterion in criteria:
        losses[criterion.loss_name] = losses.get(criterion.loss_name, 0) + value_of(criterion)
    return losses


def stack(batch_data_samples: list, field: str) -> Tensor:
    """Labels (B, C, H, W) of one field.

    Raises:
        ValueError: A sample lacks it.
    """
    for sample in batch_data_samples:
        if field not in sample:
            raise ValueError(
                f'{sample.metainfo.get("img_path", "a sample")} has no {field}: let the dataset '
                "read that target and end the pipeline with 'sapiens_depth_normal.PackMaps'"
            )
    return torch.stack([sample.get(field).data for sample in batch_data_samples])
