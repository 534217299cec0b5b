# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading one depth, normal or label map; every problem is reported with the file's name."""

from pathlib import Path

import numpy as np

from sapiens_common.files.images import MAX_PIXELS, read_ids
from sapiens_common.files.maps import ARRAY_SUFFIXES, check_suffix, read_array, read_picture
from sapiens_common.layouts.body_parts import BODY_PART_NAMES, IGNORE_INDEX
from sapiens_depth_normal.geometry import convert_normals

MAP_SUFFIXES = (*ARRAY_SUFFIXES, '.png', '.exr')
# Half-precision files and 8-bit PNGs round components; a real vector field stays within this.
LENGTH_TOLERANCE = 0.02


def read_depth(path: str | Path, unit: float = 1.0) -> np.ndarray:
    """Read a depth map (distance from the camera plane).

    Args:
        path: npy, npz, 16-bit png or exr, one channel.
        unit: What one unit of the file is worth: 0.001 turns millimetres into metres.

    Returns:
        float32 (H, W).

    Raises:
        ValueError: The file cannot be read or is no depth map.
    """
    values = _read(path)
    values = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    if values.ndim != 2:
        raise ValueError(f'depth {path}: expected (height, width), got {values.shape}')
    if values.dtype == np.uint8:
        raise ValueError(f'depth {path}: 8 bits are too few; save 16-bit png, npy or exr')
    return values.astype(np.float32) * np.float32(unit)


def read_normal(path: str | Path, convention: str = 'opengl') -> np.ndarray:
    """Read a normal map.

    Args:
        path: npy, npz or exr with components in [-1, 1]; or an 8- or 16-bit png with red, green, blue
            = X, Y, Z and the whole range of values standing for [-1, 1].
        convention: Camera coordinates of the file, a key of ``sapiens_depth_normal.geometry.CONVENTIONS``.

    Returns:
        float32 (H, W, 3) XYZ in this suite's coordinates (X right, Y up, Z to the camera).

    Raises:
        ValueError: The file cannot be read, is no normal map, or the convention is unknown.
    """
    values = _read(path)
    if values.ndim != 3 or values.shape[2] != 3:
        raise ValueError(f'normal {path}: expected (height, width, 3), got {values.shape}')
    if Path(path).suffix.lower() == '.png':  # OpenCV's order
        values = values[..., ::-1].astype(np.float32) / np.iinfo(values.dtype).max * 2 - 1
    elif values.dtype.kind != 'f':
        raise ValueError(f'normal {path}: expected floats in [-1, 1], got {values.dtype}')
    return convert_normals(values.astype(np.float32), convention)


def read_labels(path: str | Path) -> np.ndarray:
    """Read body-part labels: a grey or palette png of ids of ``sapiens_common.layouts.body_parts``, 255 ignored.

    Returns:
        uint8 (H, W).

    Raises:
        ValueError: The file cannot be read, or holds other values.
    """
    labels = read_ids(path)
    bad = sorted(set(np.unique(labels).tolist()) - {*range(len(BODY_PART_NAMES)), IGNORE_INDEX})
    if bad:
        raise ValueError(f'labels {path}: values {bad} are neither body parts nor {IGNORE_INDEX}')
    return labels


def check_same_size(path: str | Path, found: tuple[int, ...], image: tuple[int, ...]) -> None:
    """Check that a map has its image's size.

    Raises:
        ValueError: It has not.
    """
    if found[:2] != image[:2]:
        raise ValueError(
            f'{path} is {found[1]} x {found[0]} pixels, its image {image[1]} x {image[0]} '
            '(width x height); render or resize them to one size'
        )


def check_depth(path: str | Path, depth: np.ndarray, mask: np.ndarray) -> None:
    """Check that a depth map (H, W) is finite and positive on the person.

    Many files write 0 for "no depth"; as a distance it would be the nearest point of the person.

    Raises:
        ValueError: It is not.
    """
    values = depth[mask]
    bad = np.count_nonzero(~(np.isfinite(values) & (values > 0)))
    if bad:
        raise ValueError(
            f'depth {path}: {bad} of {len(values)} pixels of the person are NaN or infinite, or not '
            'above 0; expected distances from the camera: fill them, or take them out of the mask'
        )


def unit_normals(path: str | Path, normals: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Normals (H, W, 3) of the person's pixels rescaled to length one exactly; zero elsewhere.

    Raises:
        ValueError: A length on the person differs from one by more than the rounding of a file format.
    """
    vectors = normals[mask]
    lengths = np.linalg.norm(vectors, axis=1)
    bad = np.count_nonzero(~(np.abs(lengths - 1) <= LENGTH_TOLERANCE))
    if bad:
        raise ValueError(
            f'normal {path}: {bad} of {len(vectors)} vectors of the person are not of unit length '
            f'(found {lengths.min():.3f} to {lengths.max():.3f}); expected XYZ in [-1, 1], '
            'and pixels without a surface outside the mask'
        )
    units = np.zeros(normals.shape, np.float32)
    units[mask] = vectors / lengths[:, None]
    return units


def _read(path: str | Path) -> np.ndarray:
    """Whatever a file of numbers holds, as an array in its own type; pictures in OpenCV's channel order."""
    path = Path(path)
    check_suffix(path, MAP_SUFFIXES)
    suffix = path.suffix.lower()
    if suffix in ARRAY_SUFFIXES:
        return read_array(path)
    return _read_exr(path) if suffix == '.exr' else read_picture(path)


def _read_exr(path: Path) -> np.ndarray:
    """The channels of an OpenEXR file: R, G, B or X, Y, Z as (H, W, 3), a single one as (H, W)."""
    try:
        import OpenEXR  # OpenCV's wheels are built without it; only users of such files need it
    except ImportError as error:
        raise ValueError(f'{path}: reading exr files needs "pip install OpenEXR"') from error
    if not path.is_file():
        raise ValueError(f'{path} does not exist')
    try:
        with OpenEXR.File(str(path), header_only=True) as file:
            low, high = file.header()['dataWindow']
        if np.prod(np.subtract(high, low, dtype=float) + 1) > MAX_PIXELS:
            raise ValueError(f'{path} claims the pixels {low} to {high}, more than {MAX_PIXELS}')
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {name: channel.pixels for name, channel in file.channels().items()}
    except (RuntimeError, OSError) as error:
        raise ValueError(f'{path} cannot be read: {error}') from error
    for names in ('RGB', 'XYZ'):
        if set(names) <= set(channels):
            return np.stack([channels[name] for name in names], axis=-1)
    if len(channels) != 1:
        raise ValueError(
            f'{path}: expected one channel, or R, G, B or X, Y, Z; got {list(channels)}'
        )
    return next(iter(channels.values()))
