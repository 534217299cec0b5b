# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One image with all its ground truth, as a function of (seed, index, settings)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sapiens_common.layouts.body_parts29 import BODY_PART29_IDS, EYEGLASS, FROM_28, TO_28
from sapiens_synth.activities import ACTIVITIES, sample_activity
from sapiens_synth.annotations import make_annotation
from sapiens_synth.backdrops import take_photo
from sapiens_synth.camera import Camera, frame_points
from sapiens_synth.config import FRAMINGS, RenderConfig
from sapiens_synth.glasses import GLASSES_STYLES
from sapiens_synth.objects import Thing, furnish
from sapiens_synth.person import PosedMesh, build_person
from sapiens_synth.scans import ScanMesh, load_scan, place_scan
from sapiens_synth.scene import Scene
from sapiens_synth.shading import make_background, sample_light, sample_wild_light
from sapiens_synth.skeleton import rotation
from sapiens_synth.spec import PersonSpec, cloth_color, sample_person
from sapiens_synth.visibility import keypoint_flags

ELBOW_ROOM = 0.15
"""Metres that bystanders keep from the camera, whose place is drawn after theirs."""

# Labels of a frame, the 28 parts and then glasses, as the 29 parts; and those as the 28.
_TO_29 = np.array([*FROM_28, BODY_PART29_IDS[EYEGLASS]], np.uint8)
_TO_28 = np.array(TO_28, np.uint8)


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


def _scattered(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Rigid placements of people who stand anywhere around the first one and look anywhere."""
    out = [np.eye(4)]
    while len(out) < count:
        m = np.eye(4)
        m[:3, :3] = rotation(np.array([0, rng.uniform(-np.pi, np.pi), 0]))
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 2.6)
        m[:3, 3] = distance * np.sin(angle), rng.normal(0, 0.1), distance * np.cos(angle)
        if all(np.linalg.norm(m[[0, 2], 3] - other[[0, 2], 3]) > 0.35 for other in out):
            out.append(m)
    return out


def _level(config: RenderConfig, framing: str, count: int) -> str:
    if config.detail != 'auto':
        return config.detail
    height = config.size[0]
    pixels = (
        height * {'face': 5.0, 'upper': 1.9, 'full': 0.9}[framing] / (1.0 if count == 1 else 1.4)
    )
    return 'high' if pixels > 600 else 'low' if pixels > 240 else 'coarse'


def _frame(
    rng: np.random.Generator, config: RenderConfig, framing: str, points: np.ndarray
) -> Camera:
    yaw = np.radians(rng.uniform(-config.yaw, config.yaw))
    pitch = np.radians(rng.uniform(*config.pitch))
    if config.above and rng.random() < config.above:
        pitch = np.radians(rng.uniform(25, 75) if rng.random() < 0.8 else rng.uniform(-30, -12))
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


def _closeup(rng: np.random.Generator, mesh: PosedMesh) -> np.ndarray:
    """Corners of a cube around one joint of a person."""
    middle = mesh.keypoints[int(rng.integers(0, 15))] + rng.normal(0, 0.1, 3)
    return middle + rng.uniform(0.25, 0.75) * (np.indices((2, 2, 2)).reshape(3, 8).T - 0.5)


def _people(
    rng: np.random.Generator, config: RenderConfig, framing: str, wild: bool
) -> tuple[list[PosedMesh], list[bool]]:
    """Posed people, and which of them sit."""
    count = int(rng.integers(config.people[0], config.people[1] + 1))
    level = _level(config, framing, count)
    out, sitting = [], []
    for root in (_scattered if config.activity else _placements)(rng, count):
        spec: PersonSpec = sample_person(rng, config.variety, wild)
        spec.root = root
        if config.glasses and rng.random() < config.glasses:
            spec.glasses = str(rng.choice(GLASSES_STYLES))
            spec.glasses_color = cloth_color(rng) if rng.random() < 0.3 else (0.02, 0.02, 0.02)
        sits = False
        if config.activity and rng.random() < config.activity:
            spec.pose, name = sample_activity(rng)
            sits = ACTIVITIES[name].seat
        out.append(build_person(spec, level))
        sitting.append(sits)
    return out, sitting


def _make_way(mesh: PosedMesh | ScanMesh, root: np.ndarray, camera: Camera) -> None:
    """Move a bystander who stands where the camera is to the other side of the first person."""
    across = (-2 * root[:3, 3] * [1, 0, 1]).astype(np.float32)
    while np.linalg.norm(mesh.vertices - camera.position, axis=1).min() < ELBOW_ROOM:
        mesh.vertices = mesh.vertices + across
        if isinstance(mesh, PosedMesh):
            mesh.keypoints = mesh.keypoints + across


def subject_of(index: int, config: RenderConfig) -> int:
    """Number of the (first) person of an image: its scan, or the image itself, as every image has new people."""
    if not config.scans:
        return index
    return (index // len(FRAMINGS) if config.every_framing else index) % len(config.scans)


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
        ``label`` uint8 (H, W) ids of the 28 parts, and ``label29`` of the 29, or None for scans; ``albedo`` BGR uint8 (H, W, 3), sRGB without light,
        0 outside; ``alpha`` uint8 (H, W), the share of each pixel that people cover; ``annotations`` list of COCO annotations
        without ids (empty for scans); ``camera`` with ``K`` values fx, fy, cx, cy and ``world_to_camera``
        (3, 4); ``meta`` with framing and subject.
    """
    rng = np.random.default_rng([seed, index])
    framing = str(rng.choice(FRAMINGS, p=np.array(config.framings) / sum(config.framings)))
    if config.every_framing:
        framing = FRAMINGS[index % len(FRAMINGS)]
    height, width = config.size
    meshes: list[Any]  # PosedMesh, or ScanMesh where scans are given
    meta: dict[str, Any] = {'framing': framing}
    things: list[Thing] = []
    wild = bool(config.wild) and rng.random() < config.wild
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
        meshes, sitting = _people(rng, config, framing, wild)
        roots = [mesh.spec.root for mesh in meshes]
    subjects = meshes if framing == 'full' or rng.random() < 0.5 else meshes[:1]
    points = np.vstack([_subject_points(m, framing) for m in subjects])
    if not config.scans and config.closeups and rng.random() < config.closeups:
        points = _closeup(rng, meshes[0])
    camera = _frame(rng, config, framing, points)
    for mesh, root in zip(meshes[1:], roots[1:], strict=True):
        _make_way(mesh, root, camera)
    towards = -camera.rotation[2]
    if not config.scans and config.objects and rng.random() < config.objects:
        things = furnish(rng, meshes, sitting, camera)
    light = sample_wild_light(rng, towards) if wild else sample_light(rng, towards)
    background = make_background(rng, config.backgrounds, height, width, busy=wild)
    scene = Scene([*meshes, *things])
    frame = scene.render(camera, light, background)
    if wild:
        frame.image = take_photo(rng, frame.image)
    annotations = []
    labels: np.ndarray | None = None
    labels29: np.ndarray | None = None
    if not config.scans:
        labels29 = _TO_29[frame.label]
        labels = _TO_28[labels29]
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
        'label29': labels29 if config.glasses else None,
        'albedo': frame.albedo,
        'alpha': frame.alpha,
        'annotations': annotations,
        'camera': {**camera.intrinsics(), 'world_to_camera': world.tolist()},
        'meta': meta,
    }
