# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Depth and normals as OpenEXR with named channels, for compositing and renderers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .registry import register_export
from .run_folder import RunFolder
from .writing import stem_path


@register_export('exr', needs=('depth', 'normal', 'pointmap'))
def write_exr(run: RunFolder, out: Path) -> list[Path]:
    """OpenEXR, float32: ``Z`` (depth), ``N.X N.Y N.Z`` (normals), ``P.X P.Y P.Z`` (points in metres).

    Depth is relative as in the results, or the pointmap's distance in metres where the run has one. Normals have X right,
    Y up, Z to the camera, unless the run was told another convention.
    """
    try:
        import OpenEXR
    except ImportError as error:
        raise ImportError('EXR files need OpenEXR: pip install OpenEXR') from error
    written = []
    for record in run.records():
        channels: dict[str, np.ndarray] = {}
        depth, points = record.array('depth'), record.array('pointmap')
        if points is not None:
            depth = points[..., 2]
            channels.update({f'P.{axis}': points[..., i] for i, axis in enumerate('XYZ')})
        if depth is not None:
            channels['Z'] = depth
        normal = record.array('normal')
        if normal is not None:
            channels.update({f'N.{axis}': normal[..., i] for i, axis in enumerate('XYZ')})
        if not channels:
            continue
        path = stem_path(out, record.stem, '.exr')
        header = {'compression': OpenEXR.ZIP_COMPRESSION, 'type': OpenEXR.scanlineimage}
        content = {name: np.ascontiguousarray(v, np.float32) for name, v in channels.items()}
        with OpenEXR.File(header, content) as file:
            file.write(str(path))
        written.append(path)
    return written
