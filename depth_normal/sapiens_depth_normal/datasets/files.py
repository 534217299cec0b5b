# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading one depth, normal or label map; every problem is reported with the file's name."""

import re
from pathlib import Path

import numpy as np

from sapiens_common.files.images import read_ids
from sapiens_common.files.maps import ARRAY_SUFFIXES, check_suffix, read_array, read_picture
from sapiens_common.files.text import read_json, read_lines
from sapiens_common.layouts.body_parts import BODY_PART_NAMES, IGNORE_INDEX
from sapiens_depth_normal.geometry import convert_normals

from .exr import read_exr

MAP_SUFFIXES = (*ARRAY_SUFFIXES, '.png', '.exr', '.tif', '.tiff')
_PICTURE_SUFFIXES = ('.png', '.tif', '.tiff')  # read by OpenCV, blue first
# Half-precision files and 8-bit PNGs round components; a real vector field stays within this.
LENGTH_TOLERANCE = 0.02


def read_depth(path: str | Path, unit: float = 1.0) -> np.ndarray:
    """Read a depth map (distance from the camera plane).

    Args:
        path: npy, npz, 16-bit png or tiff, float tiff or exr, one channel. Of an exr file with several
            layers the one called depth or Z is taken, whatever stands before it (``View.Depth.Z``).
        unit: What one unit of the file is worth: 0.001 turns millimetres into metres.

    Returns:
        float32 (H, W).

    Raises:
        ValueError: The file cannot be read or is not a depth map.
    """
    values = _read(path, ('depth', 'z'))
    values = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    if values.ndim != 2:
        raise ValueError(f'depth {path}: expected (height, width), got {values.shape}')
    if values.dtype == np.uint8:
        raise ValueError(f'depth {path}: 8 bits are too few; save 16-bit png, npy or exr')
    return values.astype(np.float32) * np.float32(unit)


def read_normal(
    path: str | Path, convention: str = 'opengl', channel_order: str = 'xyz'
) -> np.ndarray:
    """Read a normal map.

    Args:
        path: npy, npz, float tiff or exr with components in [-1, 1]; or an 8- or 16-bit png or tiff whose
            whole range of values stands for [-1, 1]. Of an exr file with several layers the one called
            normal is taken (``View.Normal.X``).
        convention: Camera coordinates of the file, a key of ``sapiens_depth_normal.geometry.CONVENTIONS``.
        channel_order: Which component each channel of the file holds, in the order red, green, blue
            (exr channels named X, Y, Z: in that order): ``xyz``, ``zyx``, with a minus sign in front of a
            component whose sign is turned (``x-yz``).

    Returns:
        float32 (H, W, 3) XYZ in this suite's coordinates (X right, Y up, Z to the camera).

    Raises:
        ValueError: The file cannot be read, is not a normal map, or convention or order are unknown.
    """
    components, signs = parse_order(channel_order)
    values = _read(path, ('normal', 'normals'))
    if values.ndim != 3 or values.shape[2] != 3:
        raise ValueError(f'normal {path}: expected (height, width, 3), got {values.shape}')
    is_picture = Path(path).suffix.lower() in _PICTURE_SUFFIXES
    values = values[..., ::-1] if is_picture else values
    if is_picture and values.dtype.kind == 'u':
        values = values.astype(np.float32) / np.iinfo(values.dtype).max * 2 - 1
    elif values.dtype.kind != 'f':
        raise ValueError(f'normal {path}: expected floats in [-1, 1], got {values.dtype}')
    normals = np.empty(values.shape, np.float32)
    normals[..., components] = values * np.array(signs, np.float32)
    return convert_normals(normals, convention)


def parse_order(order: str) -> tuple[list[int], list[int]]:
    """Component (0 for X, 1, 2) and sign of each channel of ``channel_order``.

    >>> parse_order('z-yx')
    ([2, 1, 0], [1, -1, 1])

    Raises:
        ValueError: It does not name X, Y and Z once each.
    """
    found = re.fullmatch(r'(-?)([xyz])(-?)([xyz])(-?)([xyz])', order)
    if found is None or len(set(found.groups()[1::2])) != 3:
        raise ValueError(
            f"channel_order {order!r}: expected the letters x, y and z in the file's order of channels, "
            "each with or without a minus sign, such as 'zyx' or 'x-yz'"
        )
    components = ['xyz'.index(letter) for letter in found.groups()[1::2]]
    signs = [-1 if sign else 1 for sign in found.groups()[::2]]
    return components, signs


def read_albedo(path: str | Path) -> np.ndarray:
    """Read an albedo map: an 8- or 16-bit png of colours whose whole range stands for [0, 1].

    Returns:
        float32 (H, W, 3) sRGB in [0, 1], red first.

    Raises:
        ValueError: The file cannot be read or is grey.
    """
    check_suffix(Path(path), ('.png',))
    values = read_picture(path)
    if values.ndim != 3:
        raise ValueError(f'albedo {path}: expected colours, got a grey picture')
    return values[..., 2::-1].astype(np.float32) / np.iinfo(values.dtype).max


def read_alpha(path: str | Path) -> np.ndarray:
    """Read the alpha of a matting set: an 8- or 16-bit png whose whole range stands for [0, 1].

    It is a grey picture, or the fourth channel of one that is not opaque everywhere.

    Returns:
        float32 (H, W) in [0, 1].

    Raises:
        ValueError: The file cannot be read or has colours.
    """
    check_suffix(Path(path), ('.png',))
    values = read_picture(path)
    opaque = np.iinfo(values.dtype).max
    if values.ndim == 3 and values.shape[2] == 4 and values[..., 3].min() < opaque:
        values = values[..., 3]
    elif values.ndim == 3 and (values[..., :1] == values[..., :3]).all():
        values = values[..., 0]  # grey written with three equal channels
    if values.ndim != 2:
        raise ValueError(f'alpha {path}: expected a grey picture, got {values.shape[2]} channels')
    return values.astype(np.float32) / opaque


def read_trimap(path: str | Path) -> np.ndarray:
    """Read a trimap: 0 background, 255 foreground, 128 (or 127) unknown.

    Returns:
        uint8 (H, W) of 0, 128 and 255.

    Raises:
        ValueError: The file cannot be read, or holds other values.
    """
    trimap = read_ids(path)
    bad = sorted(set(np.unique(trimap).tolist()) - {0, 127, 128, 255})
    if bad:
        raise ValueError(f'trimap {path}: expected 0, 128 (unknown) and 255, got {bad[:8]} too')
    return np.where(trimap == 127, np.uint8(128), trimap)


def read_intrinsics(path: str | Path) -> np.ndarray:
    """Read a camera matrix in pixels: a txt file of nine numbers, row by row, separated by whitespace, or
    the json record of an image of tools/data/render_humans.py.

    Returns:
        float64 (3, 3).

    Raises:
        ValueError: The file cannot be read, or is not a camera matrix.
    """
    if Path(path).suffix.lower() == '.json':
        try:
            camera = read_json(path)['image']['camera']
            fx, fy, cx, cy = (float(camera[key]) for key in ('fx', 'fy', 'cx', 'cy'))
        except (KeyError, TypeError) as error:
            raise ValueError(f'camera {path}: expected image.camera with fx, fy, cx, cy') from error
        text = f'{fx!r} 0 {cx!r} 0 {fy!r} {cy!r} 0 0 1'
    else:
        text = ' '.join(read_lines(path))
    try:
        matrix = np.array([float(number) for number in text.split()]).reshape(3, 3)
    except ValueError as error:
        raise ValueError(f'camera {path}: expected 3 x 3 numbers, got {text!r:.80}') from error
    good = np.isfinite(matrix).all() and (matrix[2] == (0, 0, 1)).all() and matrix[1, 0] == 0
    if not good or min(matrix[0, 0], matrix[1, 1]) <= 0:
        raise ValueError(
            f'camera {path}: expected focal lengths in pixels on the diagonal and a last row of 0 0 1, '
            f'got {matrix.tolist()}'
        )
    return matrix


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


def is_no_surface(depth: np.ndarray, value: float | None) -> np.ndarray:
    """Where a depth file (H, W) says that there is no surface: bool (H, W).

    Args:
        depth: As the file holds it.
        value: Its mark, None for none: pixels at or beyond it; for 0 and less those at or below it.
    """
    if value is None:
        return np.zeros(depth.shape, bool)
    return depth >= value if value > 0 else depth <= value


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
            'above 0; expected distances from the camera: fill them, take them out of the mask, or name '
            "what stands for 'no surface' in LoadMaps(no_surface=...)"
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


def _read(path: str | Path, layers: tuple[str, ...]) -> np.ndarray:
    """Whatever a file of numbers holds, as an array in its own type; pictures in OpenCV's channel order."""
    path = Path(path)
    check_suffix(path, MAP_SUFFIXES)
    suffix = path.suffix.lower()
    if suffix in ARRAY_SUFFIXES:
        return read_array(path)
    return read_exr(path, layers) if suffix == '.exr' else read_picture(path)
