# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Hi4D (Yin et al., CVPR 2023) as it is downloaded: photos, calibrated cameras and meshes of pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sapiens_synth.calibrated import CalibratedCamera

PAIRS, CAMERA = (28, 32, 37), 4
"""The subset on which depth and normals are usually evaluated."""

_MESH = re.compile(r'mesh-f(\d+)\.obj')
# The files of the set spell one of these wrongly.
_INTRINSICS = ('intirnsics', 'intrinsics')


@dataclass(frozen=True)
class Shot:
    """One photo and what belongs to it.

    Attributes:
        name: ``<pair>/<action>/<camera>/<frame>``.
        mesh: Scan of both people.
        image: Photo.
        mask: Segmentation of both people in it, or None.
        cameras: File of the action's cameras.
        camera: Number of the camera.
    """

    name: str
    mesh: Path
    image: Path
    mask: Path | None
    cameras: Path
    camera: int


def find_shots(
    root: Path,
    pairs: Sequence[int] = PAIRS,
    cameras: Sequence[int] = (CAMERA,),
    every: int = 1,
) -> list[Shot]:
    """Photos with a mesh, by pair, action, camera and frame.

    Args:
        root: Folder of ``pairXX/``.
        pairs: Numbers of pairs; some come in parts (``pair19_1``).
        cameras: Numbers of cameras.
        every: Take every n-th mesh of an action.

    Raises:
        ValueError: A pair or a camera is missing, or no mesh has a photo.
    """
    shots: list[Shot] = []
    for pair in pairs:
        actions = sorted(
            path.parent
            for path in root.glob(f'pair{pair:02d}*/*/frames')
            if re.fullmatch(rf'pair{pair:02d}(_\d+)?', path.parent.parent.name)
        )
        if not actions:
            raise ValueError(
                f'{root}: no pair{pair:02d}*/<action>/frames; expected Hi4D as downloaded'
            )
        for action in actions:
            meshes = sorted(
                path for path in (action / 'frames').iterdir() if _MESH.fullmatch(path.name)
            )
            for camera in cameras:
                folder = action / 'images' / str(camera)
                if not folder.is_dir():
                    raise ValueError(
                        f'{folder} does not exist; expected the photos of camera {camera}'
                    )
                for mesh in meshes[::every]:
                    shots += _shot(root, action, mesh, folder, camera)
    if not shots:
        raise ValueError(f'{root}: no frames/mesh-fNNNNN.obj of pairs {list(pairs)} has a photo')
    return shots


def _shot(root: Path, action: Path, mesh: Path, folder: Path, camera: int) -> list[Shot]:
    """The photo of a mesh, as a list of at most one."""
    match = _MESH.fullmatch(mesh.name)
    frame = f'{int(match[1]):06d}' if match else ''
    image = folder / f'{frame}.jpg'
    if not image.is_file():
        return []
    mask = action / 'seg/img_seg_mask' / str(camera) / 'all' / f'{frame}.png'
    return [
        Shot(
            f'{action.relative_to(root).as_posix()}/{camera}/{frame}',
            mesh,
            image,
            mask if mask.is_file() else None,
            action / 'cameras/rgb_cameras.npz',
            camera,
        )
    ]


def read_camera(path: Path, number: int, size: tuple[int, int]) -> CalibratedCamera:
    """One camera of ``rgb_cameras.npz``.

    Args:
        path: The file.
        number: The camera's name among the ``ids``.
        size: (height, width) of its photos.

    Raises:
        ValueError: The file cannot be read, or does not describe the camera.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError) as error:
        raise ValueError(f'{path} cannot be read: {error}') from error
    name = next((key for key in _INTRINSICS if key in arrays), None)
    missing = [key for key in ('ids', 'extrinsics', 'dist_coeffs') if key not in arrays]
    if name is None or missing:
        raise ValueError(
            f'{path}: expected ids, intrinsics, extrinsics, dist_coeffs; got {list(arrays)}'
        )
    ids = arrays['ids'].ravel().astype(int).tolist()
    if number not in ids:
        raise ValueError(f'{path}: camera {number} is not among {ids}')
    index = ids.index(number)
    intrinsics, extrinsics = arrays[name][index], arrays['extrinsics'][index]
    distortion = np.ravel(arrays['dist_coeffs'][index]).astype(np.float64)
    if intrinsics.shape != (3, 3) or extrinsics.shape[-2:] != (3, 4):
        raise ValueError(
            f'{path}: expected intrinsics (3, 3) and extrinsics (3, 4) per camera, got '
            f'{intrinsics.shape} and {extrinsics.shape}'
        )
    rotation = extrinsics[:, :3].astype(np.float64)
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise ValueError(f'{path}: the extrinsics of camera {number} hold no rotation')
    return CalibratedCamera(
        *size,
        intrinsics.astype(np.float64),
        rotation,
        extrinsics[:, 3].astype(np.float64),
        distortion,
    )
