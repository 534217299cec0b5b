# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Finding and reading images on disk, with errors that name the file."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from sapiens_common.files.headers import TIFF_STARTS, Header, open_picture, read_header
from sapiens_common.files.jpeg import JPEG_START, decode_jpeg
from sapiens_common.files.members import open_file

# EXIF orientation to (transpose first, flip of cv2.flip afterwards).
_UPRIGHT = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
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
        ValueError: The file is missing, is not an image, or claims too many pixels.
    """
    try:
        with open_file(Path(path)) as file:
            encoded = file.read()
    except OSError as error:
        reason = (
            'does not exist' if isinstance(error, FileNotFoundError) else f'cannot be read: {error}'
        )
        raise ValueError(f'image {path} {reason}') from error
    encoded_size(encoded, path)
    return encoded


def check_complete(encoded: bytes, name: str | Path) -> None:
    """Check that the data is whole and sound, where OpenCV would paint the rest grey and say nothing.

    Args:
        encoded: A JPEG, PNG or TIFF; other formats pass.
        name: What the error calls it.

    Raises:
        ValueError: The end is missing, or the data is damaged before it.
    """
    if encoded.startswith(JPEG_START):
        decode_jpeg(encoded, name, reduction=8)
        return
    is_tiff = encoded.startswith(TIFF_STARTS)
    if not is_tiff and (not encoded.startswith(b'\x89PNG') or b'IEND' in encoded[-64:]):
        return
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            image.load()
    except UnidentifiedImageError:  # such as colours as floats in a TIFF
        if not is_tiff:
            raise
    # Damaged data fails in many ways. Some writers leave the end marker out of a whole PNG.
    except Exception as error:
        raise ValueError(f'image {name} cannot be decoded, its data is damaged: {error}') from error


def encoded_size(encoded: bytes, name: str | Path) -> tuple[int, int]:
    """(height, width) of an encoded image as it is to be shown, from its header alone.

    Args:
        encoded: The file's content.
        name: What the error calls it.

    Raises:
        ValueError: It is not an image, or claims to have more than
            :data:`sapiens_common.files.headers.MAX_PIXELS`.
    """
    return read_header(encoded, name).size


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) of an image file as it is to be shown; no more than its header is read.

    Raises:
        ValueError: As :func:`encoded_size`.
    """
    return read_header(Path(path), path).size


def decode_image(
    encoded: bytes, name: str | Path, reduction: int = 1, header: Header | None = None
) -> np.ndarray:
    """Decode an image upright as BGR uint8 (H, W, 3); of an animation the first picture.

    Args:
        encoded: The file's content.
        name: What the error calls it.
        reduction: 1, 2, 4 or 8. Height and width are divided by it, rounded up: each pixel is the mean
            of a block. For a JPEG this is part of the decoding and saves most of its time.
        header: What :func:`sapiens_common.files.headers.read_header` says of it, if that is known.

    Raises:
        ValueError: It cannot be decoded completely.
    """
    header = header or read_header(encoded, name)
    if encoded.startswith(JPEG_START):
        image = decode_jpeg(encoded, name, reduction)
    else:
        image = _decode_other(encoded, name, header)
        image = image if reduction == 1 else _block_means(image, reduction)
    return turn_upright(image, header.orientation)


def _decode_other(encoded: bytes, name: str | Path, header: Header) -> np.ndarray:
    """Decode what is not a JPEG: by OpenCV, which keeps the upper byte of 16 bits, or else by Pillow."""
    check_complete(encoded, name)
    data = np.frombuffer(encoded, np.uint8)
    try:
        if header.format == 'TIFF' and header.mode in ('', 'F'):
            values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
            if values is not None and values.dtype.kind == 'f':
                return _from_floats(values, name)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:  # no data at all, or sizes beyond OpenCV's own limits
        raise ValueError(f'image {name} cannot be decoded: {error}') from error
    if image is not None:
        return image
    try:
        with open_picture(io.BytesIO(encoded)) as picture:
            if picture.mode.startswith(('I', 'F')):
                raise ValueError(
                    f'its pixels are of the kind {picture.mode!r}, which is not a colour'
                )
            return np.ascontiguousarray(np.asarray(picture.convert('RGB'))[..., ::-1])
    except Exception as error:  # damaged data fails in many ways
        raise ValueError(f'image {name} cannot be decoded: {error}') from error


def _from_floats(values: np.ndarray, name: str | Path) -> np.ndarray:
    """A picture of floats in [0, 1], (H, W) or BGR[A] (H, W, C), as BGR uint8 (H, W, 3).

    Raises:
        ValueError: There are values well outside this range: what is white is not known then.
    """
    low, high = float(values.min()), float(values.max())
    # OpenCV's own float TIFF files are lossy, and end a little beside 0 and 1; NaN is neither.
    if not (low >= -0.02 and high <= 1.02):
        raise ValueError(
            f'image {name}: its pixels are floats from {low:g} to {high:g}; expected 0 to 1, or convert '
            'it to 8 bits'
        )
    values = values[..., :3] if values.ndim == 3 else cv2.merge([values] * 3)
    return np.rint(values.clip(0, 1) * 255).astype(np.uint8)


def turn_upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Follow EXIF's orientation, a number from 1 (upright) to 8."""
    if orientation == 1:
        return image
    transposed, flip = _UPRIGHT[orientation]
    image = cv2.transpose(image) if transposed else image
    return image if flip is None else cv2.flip(image, flip)


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
