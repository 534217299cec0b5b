# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Decoding of image files and arrays to BGR uint8, with errors that name the cause."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from sapiens_common.files.headers import Header, open_picture, read_header
from sapiens_common.files.images import IMAGE_SUFFIXES, decode_image, turn_upright

PHOTO_SUFFIXES = (
    *IMAGE_SUFFIXES,
    *('.jfif', '.jpe', '.bmp', '.tif', '.tiff', '.gif', '.avif', '.heic', '.heif', '.jp2'),
)
MIN_SIDE = 8
"""Images with a shorter side hold no person; they are reported, not processed."""

# Rows that are blended at a time, so that large photos need little memory beyond their own.
_BAND = 256


def read_photo(path: str | Path) -> tuple[np.ndarray, list[str]]:
    """Read an image file as the training readers do (EXIF orientation applied).

    Grey images become three equal channels, 16-bit values lose their low byte, floats in [0, 1] are
    multiplied by 255, transparent pixels are laid over white, and of several pictures the first counts.

    Args:
        path: Image file; the suffix does not matter.

    Returns:
        uint8 (H, W, 3) BGR, and notes on what was converted.

    Raises:
        ValueError: The file is missing, no image, torn, or too small.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f'{path}: cannot be read ({error.strerror or error})') from error
    return decode_photo(data, path)


def decode_photo(data: bytes, path: str | Path) -> tuple[np.ndarray, list[str]]:
    """As :func:`read_photo`, of a file's content.

    Args:
        data: The content.
        path: What messages call it.
    """
    if not data:
        raise ValueError(f'{path}: the file is empty')
    header = read_header(data, path)
    notes: list[str] = []
    if header.damaged_exif:
        notes.append('the EXIF block is damaged; the image was taken as upright')
    if header.frames > 1:
        notes.append('of an animation or of several pages the first picture was used')
    # Of 16-bit grey Pillow would clip the values; a single grey that is transparent stays as it is.
    if header.transparent and not header.mode.startswith('I'):
        image = _over_white(path, data, header, notes)
    else:
        image = decode_image(data, path, header=header)
    if _bits(header, data) > 8:
        notes.append('16-bit values were reduced to 8 bits')
    if header.format == 'TIFF' and header.mode in ('', 'F'):
        notes.append('floats in 0..1 were multiplied by 255')
    return check_image(image, str(path)), notes


def _bits(header: Header, data: bytes) -> int:
    """Bits per channel; Pillow reports 16-bit colour PNGs as 8-bit RGB, so IHDR is asked."""
    if header.format == 'PNG':
        return data[24]
    return 16 if header.mode.startswith('I') else 8


def _over_white(path: str | Path, data: bytes, header: Header, notes: list[str]) -> np.ndarray:
    """Decode an image with an alpha channel and lay it over white. BGR uint8 (H, W, 3)."""
    try:
        with open_picture(BytesIO(data)) as picture:
            pixels = np.asarray(picture.convert('RGBA'))
    except Exception as error:  # damaged data fails in many ways
        raise ValueError(f'{path}: the image data is damaged ({error})') from error
    if (pixels[..., 3] < 255).any():
        notes.append('transparent pixels were laid over white')
    image = blend_over_white(cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA))
    return turn_upright(image, header.orientation)


def blend_over_white(pixels: np.ndarray) -> np.ndarray:
    """Lay BGRA uint8 (H, W, 4) over white: BGR uint8 (H, W, 3)."""
    image = np.empty((*pixels.shape[:2], 3), np.uint8)
    for start in range(0, len(pixels), _BAND):
        band = np.s_[start : start + _BAND]
        alpha = pixels[band, :, 3:].astype(np.float32) / 255
        image[band] = (pixels[band, :, :3] * alpha + 255 * (1 - alpha)).round()
    return image


def to_bgr(image: np.ndarray | Image.Image, label: str) -> np.ndarray:
    """Bring a user's image to the pipeline's form.

    Args:
        image: A PIL image, or an array, uint8 or uint16, (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA.
        label: What messages call it.

    Returns:
        uint8 (H, W, 3) BGR.

    Raises:
        ValueError: Another shape or type, with what was expected and what came.
    """
    array = _array_of(image) if isinstance(image, Image.Image) else image
    if not isinstance(array, np.ndarray):
        raise ValueError(
            f'{label}: expected an array, a PIL image or a path, got {array!r:.60}{_hint(array)}'
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    if array.dtype != np.uint8 or not (
        array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    ):
        raise ValueError(
            f'{label}: expected a BGR image, uint8 of shape (height, width, 3), got '
            f'{array.dtype} of shape {array.shape}; multiply floats in 0..1 by 255 and cast'
        )
    if array.ndim == 2:
        array = cv2.cvtColor(array, cv2.COLOR_GRAY2BGR)
    elif array.shape[2] == 4:
        array = blend_over_white(array)
    return check_image(np.ascontiguousarray(array), label)


def _array_of(image: Image.Image) -> np.ndarray:
    """Pixels of a PIL image, upright: BGR or BGRA uint8, or grey uint16."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith('I'):
        return np.asarray(image).clip(0, 65535).astype(np.uint16)
    if image.mode[-1] in 'Aa' or 'transparency' in image.info:
        return np.asarray(image.convert('RGBA'))[..., [2, 1, 0, 3]]
    return np.asarray(image.convert('RGB'))[..., ::-1]


def _hint(value: object) -> str:
    """What to do with a tensor, whose axes and colours only the user knows."""
    if type(value).__module__.partition('.')[0] != 'torch':
        return ''
    return (
        '. Of an RGB tensor (3, height, width) in 0..1 take '
        '(t * 255).byte().permute(1, 2, 0).flip(-1).cpu().numpy()'
    )


def check_image(image: np.ndarray, label: str) -> np.ndarray:
    """The image itself, if it is large enough.

    Raises:
        ValueError: A side is shorter than :data:`MIN_SIDE` pixels.
    """
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ValueError(
            f'{label}: the image is {width} x {height} pixels; a person needs at least '
            f'{MIN_SIDE} x {MIN_SIDE}'
        )
    return image
