# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading what belongs to an image: person masks, and maps of numbers as arrays or pictures.

The files are other people's: nothing in them runs, and none gets more memory than an image may have.
"""

import math
from pathlib import Path
from typing import IO
from zipfile import ZipFile

import cv2
import numpy as np
from numpy.lib import format as npy

from sapiens_common.files.headers import MAX_PIXELS
from sapiens_common.files.images import (
    IMAGE_SUFFIXES,
    check_complete,
    decode_ids,
    read_encoded,
)
from sapiens_common.files.members import open_file

ARRAY_SUFFIXES = ('.npy', '.npz')
MASK_SUFFIXES = (*IMAGE_SUFFIXES, *ARRAY_SUFFIXES)

_MAX_VALUES = 3 * MAX_PIXELS
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_mask(path: str | Path, threshold: float = 0) -> np.ndarray:
    """Read a person mask: any picture, label map or array whose person pixels are above a threshold.

    Of a picture with transparent pixels the alpha channel counts, of a palette png (a label map, such as
    the segmentation task writes) the entries, of any other picture its brightest channel.

    Args:
        path: png, jpg, jpeg, webp, npy or npz.
        threshold: Largest background value. Lossy masks (jpg, webp) want about half their range.

    Returns:
        bool (H, W).

    Raises:
        ValueError: The file cannot be read or is not a mask.
    """
    path = Path(path)
    check_suffix(path, MASK_SUFFIXES)
    is_array = path.suffix.lower() in ARRAY_SUFFIXES
    values = read_array(path) if is_array else read_picture(path)
    if values.ndim == 3:
        values = _person_channel(values)
    if values.ndim != 2:
        raise ValueError(f'mask {path}: expected (height, width), got {values.shape}')
    return values > threshold


def _person_channel(values: np.ndarray) -> np.ndarray:
    """What tells the person in a picture (H, W, C): (H, W)."""
    if values.shape[2] != 4:
        return values.max(axis=2)
    # Editors add an opaque alpha channel to any picture.
    alpha = values[..., 3]
    opaque = np.iinfo(alpha.dtype).max if alpha.dtype.kind in 'iu' else 1
    return alpha if (alpha < opaque).any() else values[..., :3].max(axis=2)


def read_picture(path: str | Path) -> np.ndarray:
    """Read a picture as it is: its own bits, its channels in OpenCV's order.

    Of a palette png the entries count, not their colours.

    Returns:
        uint8 or uint16 (H, W), (H, W, 3) BGR or (H, W, 4) BGRA.

    Raises:
        ValueError: The file is missing or cannot be decoded completely.
    """
    encoded = read_encoded(path)
    if _is_palette_png(encoded):
        return decode_ids(encoded, path)
    check_complete(encoded, path)
    values = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError(f'{path} cannot be decoded (torn or not an image)')
    return values


def _is_palette_png(encoded: bytes) -> bool:
    """Whether pixels are entries of a palette: the colour type in the header, which is always there."""
    return encoded.startswith(b'\x89PNG') and encoded[25] == 3


def read_array(path: str | Path) -> np.ndarray:
    """Read the numbers of a npy file, or of a npz file that holds one array.

    Raises:
        ValueError: The file is missing or torn, holds Python objects or text, several arrays, or claims
            to be larger than any image.
    """
    path = Path(path)
    try:
        with open_file(path) as file:
            if path.suffix.lower() == '.npy':
                return _read_npy(file)
            with ZipFile(file) as archive:
                names = archive.namelist()
                if len(names) != 1:
                    raise ValueError(f'expected one array, got {[Path(n).stem for n in names]}')
                with archive.open(names[0]) as member:
                    return _read_npy(member)
    except FileNotFoundError as error:
        raise ValueError(f'{path} does not exist') from error
    # Damaged data fails in many ways while it is parsed.
    except Exception as error:
        raise ValueError(f'{path} cannot be read: {error or type(error).__name__}') from error


def _read_npy(file: IO[bytes]) -> np.ndarray:
    """An array, after a look at its header: NumPy allocates what that claims before it reads."""
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f'version {version} of the format is for named fields')
    shape, _, kind = _HEADERS[version](file)
    if kind.kind not in 'biuf':
        raise ValueError(f'expected an array of real numbers, got {kind}')
    if min(shape, default=0) < 0 or math.prod(shape) > _MAX_VALUES:
        raise ValueError(f'it claims the shape {shape}: negative, or over {_MAX_VALUES} numbers')
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    """Check a file's suffix, in any case.

    Raises:
        ValueError: It is not one of these.
    """
    if path.suffix.lower() not in suffixes:
        raise ValueError(f'{path}: expected one of {", ".join(suffixes)}')
