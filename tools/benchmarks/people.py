# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Made-up keypoints, heatmaps and photos for stages that need no meaning, only sizes."""

from pathlib import Path

import cv2
import numpy as np
import torch

NUM_KEYPOINTS = 308


def codec_settings(quick: bool) -> dict:
    """Arguments of the UDP codecs: the reference's, sizes as (width, height)."""
    if quick:
        return {'input_size': (48, 64), 'heatmap_size': (12, 16), 'sigma': 2.0}
    return {'input_size': (768, 1024), 'heatmap_size': (192, 256), 'sigma': 6.0}


def keypoints(
    people: int, count: int, input_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (people, count, 2) in pixels, a few of them outside the image, and visibilities.

    The latter are (people, count), 0 for one in five.
    """
    random = np.random.default_rng(0)
    points = random.uniform(-0.05, 1.05, (people, count, 2)) * input_size
    visible = random.uniform(size=(people, count)) > 0.2
    return points.astype(np.float32), visible.astype(np.float32)


def heatmaps(codec: object, people: int, count: int) -> torch.Tensor:
    """What a trained model gives: (people, count, H, W), Gaussians of all heights plus noise.

    One map in ten is nearly empty, as for a keypoint out of view.
    """
    points, _ = keypoints(people, count, codec.input_size)
    maps, _ = codec.encode_batch(torch.from_numpy(points), torch.ones(people, count))
    generator = torch.Generator().manual_seed(0)
    height = torch.rand(people, count, 1, 1, generator=generator) * 0.7 + 0.3
    height[:, ::10] = 0.02
    return maps * height + 0.003 * torch.randn(maps.shape, generator=generator)


def write_photos(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """Write JPEGs of (height, width) with the frequency content of photos: noise over many scales."""
    random = np.random.default_rng(0)
    paths = []
    for number in range(count):
        photo = np.full((*size, 3), 128, np.float32)
        for side in (4, 16, 64, 256):
            coarse = random.normal(0, 24, (side, side * 3 // 4, 3)).astype(np.float32)
            photo += cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
        paths.append(folder / f'{number:03d}.jpg')
        cv2.imwrite(str(paths[-1]), photo.clip(0, 255).astype(np.uint8))
    return paths
