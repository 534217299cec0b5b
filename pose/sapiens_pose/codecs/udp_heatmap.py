# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""mmpose's UDP codec, batched: targets and decoding on the model's device."""

from collections.abc import Sequence

import numpy as np
import torch
from mmpose.codecs import UDPHeatmap as MMPoseUDPHeatmap
from torch import Tensor

from sapiens_pose.registry import KEYPOINT_CODECS

from .udp_decode import heatmap_maxima, refine_udp


@KEYPOINT_CODECS.register_module()
class BatchedUDPHeatmap(MMPoseUDPHeatmap):
    """Gaussian heatmaps by Unbiased Data Processing.

    ``encode`` and ``decode`` are upstream's, one person at a time in NumPy; ``encode_batch`` and
    ``batch_decode`` do the same for a batch of tensors. Sizes are (width, height), as upstream's API says.

    Args:
        input_size: (width, height) of the model's input in pixels.
        heatmap_size: (width, height) of the heatmap in pixels.
        sigma: Standard deviation of the Gaussian in heatmap pixels; 3 * sigma must be whole.
        blur_kernel_size: Odd side of the blur before the sub-pixel step. The published weights were
            evaluated with 11, whatever sigma was.

    Raises:
        ValueError: 3 * sigma is not whole, or the kernel size is even.

    Reference: Huang et al., "The Devil is in the Details", CVPR 2020.
    """

    support_batch_decoding = True

    def __init__(
        self,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        sigma: float = 2.0,
        blur_kernel_size: int = 11,
    ) -> None:
        super().__init__(
            tuple(input_size), tuple(heatmap_size), sigma=sigma, blur_kernel_size=blur_kernel_size
        )
        if (3 * sigma) % 1:
            raise ValueError(
                f'BatchedUDPHeatmap: 3 * sigma must be a whole number of pixels, got {sigma=}'
            )
        if blur_kernel_size % 2 == 0:
            raise ValueError(
                f'BatchedUDPHeatmap: blur_kernel_size must be odd, got {blur_kernel_size}'
            )

    def keypoint_weights(self, keypoints: Tensor, visible: Tensor) -> Tensor:
        """Visibilities with 0 for labelled points whose whole Gaussian lies outside the heatmap.

        Args:
            keypoints: (B, K, 2) in pixels of the model's input.
            visible: (B, K); at least 0.5 counts as labelled.

        Returns:
            (B, K) loss weights.
        """
        low, high = self._extent(self._to_heatmap(keypoints))
        size = torch.tensor(self.heatmap_size, device=keypoints.device)
        outside = ((low >= size) | (high < 0)).any(dim=-1)
        return torch.where(outside & (visible >= 0.5), torch.zeros_like(visible), visible)

    def encode_batch(self, keypoints: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """Target heatmaps of a batch, equal to ``encode`` of each person.

        Args:
            keypoints: (B, K, 2) float32 in pixels of the model's input.
            visible: (B, K); at least 0.5 counts as labelled.

        Returns:
            (B, K, H, W) float32 heatmaps on the device of the keypoints, and (B, K) loss weights.
        """
        centres = self._to_heatmap(keypoints)
        low, high = self._extent(centres)
        weights = self.keypoint_weights(keypoints, visible)
        drawn = (visible >= 0.5) & (weights > 0)
        profiles = []
        for axis, size in enumerate(self.heatmap_size):
            pixels = torch.arange(size, device=keypoints.device)
            profile = torch.exp(-((pixels - centres[..., axis, None]) ** 2) / (2 * self.sigma**2))
            window = (pixels >= low[..., axis, None]) & (pixels < high[..., axis, None])
            profiles.append(profile * window)
        columns, rows = profiles
        return (rows * drawn[..., None])[..., :, None] * columns[..., None, :], weights

    def _to_heatmap(self, keypoints: Tensor) -> Tensor:
        """Input pixels to heatmap pixels, (..., 2)."""
        return keypoints.float() / torch.from_numpy(self.scale_factor).to(keypoints.device)

    def _extent(self, centres: Tensor) -> tuple[Tensor, Tensor]:
        """First pixel inside and first one after the window of 3 sigma, (..., 2) each."""
        middle = (centres + 0.5).trunc()
        radius = 3 * self.sigma
        return middle - radius, middle + radius + 1

    def batch_decode(
        self, heatmaps: Tensor, keypoint_indices: Sequence[int] | None = None
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Keypoints and scores of a batch; what mmpose's heads call.

        Args:
            heatmaps: (B, K, H, W) in any floating dtype, on any device.
            keypoint_indices: The keypoints to decode, in this order; None decodes all.

        Returns:
            Per person: (1, K, 2) float64 in pixels of the model's input, and (1, K) float32 scores, the
            raw maxima. Positions with a score of 0 or less are upstream's "not found", (-1, -1) in
            pixels of the heatmap.
        """
        points, scores = self.decode_relative(heatmaps, keypoint_indices)
        points_np = points.double().cpu().numpy() * self.input_size
        scores_np = scores.cpu().numpy()
        return list(points_np[:, None]), list(scores_np[:, None])

    def decode_relative(
        self, heatmaps: Tensor, keypoint_indices: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`batch_decode`, on the device and relative to the input.

        Returns:
            (B, K, 2) positions, in the unit where 1 is the input's width or height, and (B, K) scores;
            float32 both.
        """
        if keypoint_indices is not None:
            heatmaps = heatmaps[:, list(keypoint_indices)]
        maps = heatmaps.detach().flatten(0, 1)
        peaks, scores = heatmap_maxima(maps)
        points = refine_udp(maps, peaks, scores, self.blur_kernel_size)
        size = torch.tensor(self.heatmap_size, device=points.device)
        shape = heatmaps.shape[:2]
        return (points / (size - 1)).view(*shape, 2), scores.float().view(shape)
