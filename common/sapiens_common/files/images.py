# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Finding and reading images on disk, with errors that name the file."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

_JPEG = b'\xff\xd8'  # how its files begin
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

MAX_PIXELS = 178_956_970
"""Larger images are refused by their header, before anything of their size is allocated: Pillow's own
limit, above every camera's 12 to 100 million."""


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
    """Read an image as BGR uint8 (H, W, 3), upright.

    Raises:
        ValueError: The file is missing or cannot be decoded completely.
    """
    encoded = read_encoded(path)
    return decode_image(encoded, path)


def read_ids(path: str | Path) -> np.ndarray:
    """Read the numbers of a label picture: of a palette PNG its entries, not their colours.

    Returns:
        uint8 (H, W).

    Raises:
        ValueError: The file is missing, cannot be decoded completely, or has several channels or 16 bits.
    """
    return decode_ids(read_encoded(path), path)


def decode_ids(encoded: bytes, name: str | Path) -> np.ndarray:
    """The numbers of an encoded label picture, as :func:`read_ids`.

    Args:
        encoded: The file's content.
        name: What the error calls it.

    Raises:
        ValueError: It cannot be decoded completely, or has several channels or 16 bits.
    """
    try:
        # Pillow, because OpenCV expands a palette PNG to colours.
        with Image.open(io.BytesIO(encoded)) as picture:
            values = np.asarray(picture)
    except Exception as error:  # damaged data fails in many ways
        raise ValueError(f'label file {name} cannot be decoded: {error}') from error
    if values.dtype == bool:  # a black and white picture, one bit per pixel
        values = values.astype(np.uint8)
    if values.ndim != 2 or values.dtype != np.uint8:
        raise ValueError(
            f'label file {name}: expected one 8-bit channel of class ids, got shape {values.shape} '
            f'of {values.dtype}; colour pictures of labels must be converted to ids'
        )
    return values


def read_encoded(path: str | Path) -> bytes:
    """Read an image file without decoding more than its header.

    Raises:
        ValueError: The file is missing, is no image, or claims more than :data:`MAX_PIXELS`.
    """
    try:
        encoded = Path(path).read_bytes()
    except OSError as error:
        reason = (
            'does not exist' if isinstance(error, FileNotFoundError) else f'cannot be read: {error}'
        )
        raise ValueError(f'image {path} {reason}') from error
    encoded_size(encoded, path)
    return encoded


def check_complete(encoded: bytes, name: str | Path) -> None:
    """Check that the data of a JPEG or PNG does not end early; OpenCV would paint the rest grey.

    Args:
        encoded: The file's content.
        name: What the error calls it.

    Raises:
        ValueError: The end is missing, or the data is damaged before it.
    """
    if encoded.startswith(_JPEG):
        complete = encoded.rfind(b'\xff\xd9') > encoded.rfind(b'\xff\xda')
    elif encoded.startswith(b'\x89PNG'):
        complete = b'IEND' in encoded[-64:]
    else:
        complete = True
    if complete:
        return
    try:
        # Some writers leave the end marker out of a whole picture: the stricter decoder decides.
        Image.open(io.BytesIO(encoded)).load()
    except Exception as error:  # damaged data fails in many ways
        raise ValueError(f'image {name} cannot be decoded, the data is damaged: {error}') from error


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
        ValueError: It is no image, or claims to have more than :data:`MAX_PIXELS`.
    """
    return _header_size(io.BytesIO(encoded), name)


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) of an image file as it is to be shown; no more than its header is read.

    Raises:
        ValueError: It is no image, or claims to have more than :data:`MAX_PIXELS`.
    """
    return _header_size(Path(path), path)


def _header_size(file: io.BytesIO | Path, name: str | Path) -> tuple[int, int]:
    """What :func:`encoded_size` and :func:`image_size` share."""
    try:
        with Image.open(file) as image:
            width, height = image.size
            size = upright_size(image)
    except UnidentifiedImageError as error:
        raise ValueError(
            f'image {name} cannot be decoded: its content is of no known image format'
        ) from error
    except Exception as error:  # damaged data fails in many ways
        raise ValueError(f'image {name} cannot be decoded: {error}') from error
    if width * height > MAX_PIXELS:
        raise ValueError(
            f'image {name} claims {width} x {height} pixels, more than the {MAX_PIXELS} that are '
            'accepted (a decompression bomb?)'
        )
    return size


def decode_image(encoded: bytes, name: str | Path, reduction: int = 1) -> np.ndarray:
    """Decode an image upright as BGR uint8 (H, W, 3).

    Args:
        encoded: The file's content.
        name: What the error calls it.
        reduction: 1, 2, 4 or 8. Height and width are divided by it, rounded up: each pixel is the mean
            of a block. For a JPEG this is part of the decoding and saves most of its time.

    Raises:
        ValueError: It cannot be decoded completely.
    """
    check_complete(encoded, name)
    is_jpeg = encoded.startswith(_JPEG)
    flags = _REDUCED_FLAGS[reduction] if is_jpeg else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error as error:  # no data at all, or sizes beyond OpenCV's own limits
        raise ValueError(f'image {name} cannot be decoded: {error}') from error
    if image is None:
        raise ValueError(f'image {name} cannot be decoded (torn or not an image)')
    return image if is_jpeg or reduction == 1 else _block_means(image, reduction)


def _block_means(image: np.ndarray, side: int) -> np.ndarray:
    """Means of blocks of side x side pixels; the last ones are filled up with the border's pixels.

    OpenCV's own reduction of other formats than JPEG rounds the size down and stretches by what is left.
    """
    height, width = image.shape[:2]
    image = cv2.copyMakeBorder(image, 0, -height % side, 0, -width % side, cv2.BORDER_REPLICATE)
    size = (image.shape[1] // side, image.shape[0] // side)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


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
