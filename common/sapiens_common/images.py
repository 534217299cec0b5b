# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Finding and reading images on disk, with errors that name the file."""

import io
from pathlib import Path

import cv2
import mmcv
import numpy as np
from PIL import Image

_ORIENTATION = 0x0112  # EXIF tag
_SIDEWAYS = (5, 6, 7, 8)  # its values that exchange width and height
_REDUCED_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}

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


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(height, width) of an image opened by Pillow as it is to be shown, from its header alone."""
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in _SIDEWAYS:
        return width, height
    return height, width


def encoded_size(encoded: bytes, name: str | Path) -> tuple[int, int]:
    """(height, width) of an encoded image as it is to be shown, from its header alone.

    Args:
        encoded: The file's content.
        name: What the error calls it.

    Raises:
        ValueError: It is no image.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            return upright_size(image)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f'image {name} cannot be decoded: {error}') from error


def decode_image(encoded: bytes, name: str | Path, reduction: int = 1) -> np.ndarray:
    """Decode an image upright as BGR uint8 (H, W, 3).

    Args:
        encoded: The file's content.
        name: What the error calls it.
        reduction: 1, 2, 4 or 8. Height and width are divided by it, rounded up. For a JPEG this is
            part of the decoding and saves most of its time.

    Raises:
        ValueError: It cannot be decoded.
    """
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), _REDUCED_FLAGS[reduction])
    if image is None:
        raise ValueError(f'image {name} cannot be decoded (torn or not an image)')
    return image


def choose_reduction(size: tuple[float, float], wanted: tuple[int, int]) -> int:
    """Largest reduction that leaves of a part of an image at least the wanted size.

    Args:
        size: (height, width) of the part in pixels.
        wanted: (height, width) that it will be resized to.

    Returns:
        8, 4, 2 or 1.
    """
    for reduction in (8, 4, 2):
        if size[0] >= reduction * wanted[0] and size[1] >= reduction * wanted[1]:
            return reduction
    return 1
