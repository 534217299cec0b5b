# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Point clouds as binary PLY files, which every mesh viewer opens."""

from pathlib import Path

import numpy as np


def write_ply(
    path: str | Path,
    points: np.ndarray,
    colors: np.ndarray | None = None,
    normals: np.ndarray | None = None,
) -> None:
    """Write a point cloud.

    Args:
        path: File to write; its folder must exist.
        points: (N, 3) XYZ, as from ``depth_to_points(depth, intrinsics)[mask]``.
        colors: uint8 (N, 3), RGB.
        normals: (N, 3) XYZ in the coordinates of the points.

    Raises:
        ValueError: An array has another length than the points, or colours are no bytes.
    """
    if colors is not None and colors.dtype != np.uint8:
        raise ValueError(f'{path}: expected uint8 colours from 0 to 255, got {colors.dtype}')
    columns: list[tuple[str, str, np.ndarray]] = []
    for array, names, kind in (
        (points, ('x', 'y', 'z'), '<f4'),
        (normals, ('nx', 'ny', 'nz'), '<f4'),
        (colors, ('red', 'green', 'blue'), 'u1'),
    ):
        if array is None:
            continue
        if array.shape != (len(points), 3):
            raise ValueError(
                f'{path}: expected {names} of shape ({len(points)}, 3), got {array.shape}'
            )
        columns += [(name, kind, array[:, axis]) for axis, name in enumerate(names)]
    vertices = np.empty(len(points), [(name, kind) for name, kind, _ in columns])
    for name, _, values in columns:
        vertices[name] = values
    kinds = {'<f4': 'float', 'u1': 'uchar'}
    header = [
        'ply',
        'format binary_little_endian 1.0',
        f'element vertex {len(points)}',
        *(f'property {kinds[kind]} {name}' for name, kind, _ in columns),
        'end_header',
        '',
    ]
    Path(path).write_bytes('\n'.join(header).encode('ascii') + vertices.tobytes())
