# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One image with all its ground truth, as a function of (seed, index, settings)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sapiens_synth.annotations import make_annotation
from sapiens_synth.camera import Camera, frame_points
from sapiens_synth.config import FRAMINGS, RenderConfig
from sapiens_synth.person import PosedMesh, build_person
from sapiens_synth.scans import ScanMesh, load_scan, place_scan
from sapiens_synth.scene import Scene
from sapiens_synth.shading import make_background, sample_light
from sapiens_synth.skeleton import rotation
from sapiens_synth.spec import PersonSpec, sample_person
from sapiens_synth.visibility import keypoint_flags


def _placements(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Rigid placements of people side by side, the first in the middle."""
    out = []
    for i in range(count):
        m = np.eye(4)
        if count > 1:
            m[:3, :3] = rotation(np.array([0, rng.normal(0, 0.45), 0]))
        if i:
            side = 1 if i % 2 else -1
            m[0, 3] = side * ((i + 1) // 2) * rng.uniform(0.55, 0.85)
            m[2, 3] = rng.uniform(-0.55, 0.25)
        out.append(m)
    return out


def _level(config: RenderConfig, framing: str, count: int) -> str:
    if config.detail != 'auto':
        return config.detail
    height = config.size[0]
    pixels = (
        height * {'face': 5.0, 'upper': 1.9, 'full': 0.9}[framing] / (1.0 if count == 1 else 1.4)
    )
    return 'high' if pixels > 600 else 'low'


def _frame(
    rng: np.random.Generator, config: RenderConfig, framing: str, points: np.ndarray
) -> Camera:
    yaw = np.radians(rng.uniform(-config.yaw, config.yaw))
    pitch = np.radians(rng.uniform(*config.pitch))
    direction = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    fill = rng.uniform(0.55, 0.95) if framing != 'face' else rng.uniform(0.45, 0.85)
    shift = (rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8))
    roll = np.radians(rng.normal(0, config.roll))
    return frame_points(
        points, direction, roll, rng.uniform(*config.focal_mm), config.size, fill, shift
    )


def _subject_points(mesh: PosedMesh | ScanMesh, framing: str) -> np.ndarray:
    """World points that the framing must show."""
    if isinstance(mesh, ScanMesh):
        return mesh.framing_points(framing)
    if framing == 'full':
        return mesh.vertices[::7]
    head = mesh.keypoints[np.r_[0:5, 70:308]]
    crown = head.mean(0) + (head.mean(0) - mesh.keypoints[69]) * 0.9
    if framing == 'face':
        return np.vstack([head, crown])
    return np.vstack([head, crown, mesh.keypoints[[5, 6, 9, 10]]])


def _people(rng: np.random.Generator, config: RenderConfig, framing: str) -> list[PosedMesh]:
    count = int(rng.integers(config.people[0], config.people[1] + 1))
    level = _level(config, framing, count)
    out = []
    for root in _placements(rng, count):
        spec: PersonSpec = sample_person(rng, config.variety)
        spec.root = root
        out.append(build_person(spec, level))
    return out


def subject_of(index: int, config: RenderConfig) -> int:
    """Number of the (first) person of an image: its scan, or the image itself, as every image has new people."""
    if not config.scans:
        return index
    return (index // 3 if config.every_framing else index) % len(config.scans)


def render_sample(seed: int, index: int, config: RenderConfig) -> dict[str, Any]:
    """Render one image with its ground truth.

    The result depends on the arguments only: not on the process, the worker or what was rendered before.

    Args:
        seed: Seed of the data set.
        index: Number of the image, from 0.
        config: Settings.

    Returns:
        ``image`` BGR uint8 (H, W, 3); ``mask`` uint8 (H, W), 0 or 255; ``depth`` float32 (H, W), metres,
        0 outside people; ``normal`` float32 (H, W, 3), X right, Y up, Z towards the camera, 0 outside;
        ``label`` uint8 (H, W) part ids or None for scans; ``annotations`` list of COCO annotations
        without ids (empty for scans); ``camera`` with ``K`` values fx, fy, cx, cy and ``world_to_camera``
        (3, 4); ``meta`` with framing and subject.
    """
    rng = np.random.default_rng([seed, index])
    framing = str(rng.choice(FRAMINGS, p=np.array(config.framings) / sum(config.framings)))
    if config.every_framing:
        framing = FRAMINGS[index % 3]
    height, width = config.size
    meshes: list[PosedMesh] | list[ScanMesh]
    meta: dict[str, Any] = {'framing': framing}
    if config.scans:
        count = int(rng.integers(config.people[0], config.people[1] + 1))
        first = subject_of(index, config)
        picks = [first, *rng.integers(len(config.scans), size=count - 1).tolist()]
        roots = _placements(rng, count)
        meshes = [
            place_scan(load_scan(config.scans[i]), root)
            for i, root in zip(picks, roots, strict=True)
        ]
        meta['scans'] = [Path(config.scans[i]).name for i in picks]
    else:
        meshes = _people(rng, config, framing)
    subjects = meshes if framing == 'full' or rng.random() < 0.5 else meshes[:1]
    points = np.vstack([_subject_points(m, framing) for m in subjects])
    camera = _frame(rng, config, framing, points)
    towards = -camera.rotation[2]
    light = sample_light(rng, towards)
    background = make_background(rng, config.backgrounds, height, width)
    scene = Scene(list(meshes))
    frame = scene.render(camera, light, background)
    annotations = []
    labels: np.ndarray | None = None
    if not config.scans:
        labels = frame.label
        for i, mesh in enumerate(meshes):
            assert isinstance(mesh, PosedMesh)
            xy, flags = keypoint_flags(
                mesh.keypoints, mesh.reach, i, camera, scene.rays, frame.label, frame.instance
            )
            annotation = make_annotation(xy, flags, frame.instance == i + 1)
            if annotation is not None:
                annotations.append(annotation)
    world = np.column_stack([camera.rotation, -camera.rotation @ camera.position])
    return {
        'image': frame.image,
        'mask': np.where(frame.instance > 0, 255, 0).astype(np.uint8),
        'depth': frame.depth,
        'normal': frame.normal,
        'label': labels,
        'annotations': annotations,
        'camera': {**camera.intrinsics(), 'world_to_camera': world.tolist()},
        'meta': meta,
    }
