# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Finding and reading images on disk, with errors that name the file."""

from pathlib import Path

import mmcv
import numpy as np

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp')
"""Accepted image extensions, matched case-insensitively."""


def list_images(folder: str | Path, recursive: bool = False) -> list[Path]:
    """Images of a folder, sorted by path, so that every process sees the same order.

    Args:
        folder: Where to look.
        recursive: Whether subfolders count.

    Raises:
        ValueError: The folder does not exist or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f'image folder {folder} does not exist')
    found = folder.rglob('*') if recursive else folder.iterdir()
    images = sorted(path for path in found if path.suffix.lower() in IMAGE_SUFFIXES)
    if not images:
        raise ValueError(f'folder {folder} holds no image ({", ".join(IMAGE_SUFFIXES)})')
    return images


def read_image(path: str | Path) -> np.ndarray:
    """Read an image as BGR uint8 (H, W, 3).

    Raises:
        ValueError: The file is missing or cannot be decoded.
    """
    if not Path(path).is_file():
        raise ValueError(f'image {path} does not exist')
    image = mmcv.imread(str(path), flag='color', channel_order='bgr')
    if image is None:
        raise ValueError(f'image {path} cannot be decoded (torn or not an image)')
    return image
