# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Alignment, points and normals against closed forms: a sphere and a plane under a perspective camera."""

import doctest

import numpy as np
import pytest
import trimesh

from sapiens_depth_normal import geometry
from sapiens_depth_normal.geometry import (
    align_depth,
    convert_normals,
    depth_to_normals,
    depth_to_points,
    intrinsics_of,
)

SIZE = (120, 90)  # (height, width)
CENTER, RADIUS = np.array([0.2, -0.3, -4.0]), 1.0  # metres; X right, Y up, Z to the camera


def sphere(intrinsics):
    """Depth, normals and mask of a sphere, by intersecting the ray of every pixel."""
    rows, columns = np.indices(SIZE)
    rays = np.stack(
        [
            (columns - intrinsics[0, 2]) / intrinsics[0, 0],
            -(rows - intrinsics[1, 2]) / intrinsics[1, 1],
            -np.ones(SIZE),
        ],
        -1,
    )
    a, b = (rays**2).sum(-1), rays @ CENTER
    root = b**2 - a * (CENTER @ CENTER - RADIUS**2)
    mask = root > 0
    depth = np.where(mask, (b - np.sqrt(np.maximum(root, 0))) / a, np.nan)
    normals = (rays * depth[..., None] - CENTER) / RADIUS
    return depth, normals, mask


def test_points_and_normals_of_a_sphere():
    intrinsics = intrinsics_of(SIZE, 40)
    depth, normals, mask = sphere(intrinsics)
    points = depth_to_points(depth, intrinsics)[mask]
    np.testing.assert_allclose(np.linalg.norm(points - CENTER, axis=1), RADIUS, atol=1e-5)
    found = depth_to_normals(depth, intrinsics, mask)
    inner = mask & (normals[..., 2] > 0.4) & (found != 0).any(-1)
    assert inner.sum() > 0.7 * mask.sum()
    cosine = (found * normals).sum(-1)[inner]
    angle = np.degrees(np.arccos(cosine.clip(-1, 1)))
    assert angle.max() < 6 and angle.mean() < 0.5
    assert not found[~mask].any() and np.isfinite(found).all()


def test_normals_of_a_tilted_plane_are_exact():
    intrinsics = intrinsics_of(SIZE, 50)
    normal = np.array([0.3, 0.5, 0.9]) / np.linalg.norm([0.3, 0.5, 0.9])
    rays = depth_to_points(np.ones(SIZE), intrinsics).astype(float)
    depth = -5 * normal[2] / (rays @ normal)
    found = depth_to_normals(depth, intrinsics)
    np.testing.assert_allclose(found[1:-1, 1:-1], np.broadcast_to(normal, (118, 88, 3)), atol=1e-3)
    assert not found[0].any() and not found[:, -1].any()


def test_align_depth_recovers_scale_and_shift():
    depth, _, mask = sphere(intrinsics_of(SIZE, 40))
    reference = np.nan_to_num(depth)
    relative = (reference - 3.0) / 2
    found = align_depth(relative, reference, mask)
    np.testing.assert_allclose(found.depth[mask], reference[mask], rtol=1e-6)
    np.testing.assert_allclose([found.scale, found.shift], [2, 3], rtol=1e-6)
    disparity = np.where(mask, 0.7 / np.where(mask, reference, 1) - 0.1, 0)
    inverse = align_depth(disparity, reference, mask, 'inverse')
    np.testing.assert_allclose(inverse.depth[mask], reference[mask], rtol=1e-6)
    assert inverse.depth.dtype == np.float32
    # Equal to the least-squares solver's answer when no exact fit exists.
    noisy = relative + np.random.default_rng(0).normal(size=SIZE) * 0.1
    fit = np.polyfit(noisy[mask], reference[mask], 1)
    np.testing.assert_allclose(align_depth(noisy, reference, mask)[1:], fit, rtol=1e-6)


def test_align_depth_limits():
    reference = np.array([[1.0, 2.0, 4.0]])
    everywhere = np.ones((1, 3))
    constant = align_depth(np.full((1, 3), 0.4), reference, everywhere)
    np.testing.assert_allclose(constant.depth, 7 / 3, rtol=1e-6)
    wild = align_depth(np.array([[0.0, 9.0, 9.1]]), reference, np.array([[1, 1, 0]]), 'inverse')
    assert (wild.depth > 0).all() and wild.depth.max() <= 20


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(mask=np.ones((2, 2))), r'pred \(1, 3\), reference \(1, 3\) and mask \(2, 2\)'),
        (dict(mask=np.zeros((1, 3))), 'the mask has 0 pixels'),
        (dict(space='log'), "space 'log' is neither"),
        (dict(pred=np.array([[1, np.nan, 2]])), 'is not finite on the mask'),
        (dict(reference=np.array([[0.0, 1, 2]]), space='inverse'), 'needs a positive reference'),
    ],
)
def test_align_depth_errors(change, message):
    settings = dict(
        pred=np.arange(3.0)[None], reference=np.arange(1.0, 4)[None], mask=np.ones((1, 3))
    )
    with pytest.raises(ValueError, match=message):
        align_depth(**{**settings, **change})


def test_conventions():
    normals = np.array([[0.1, 0.2, 0.3]], np.float32)
    opencv = convert_normals(normals, 'opencv')
    np.testing.assert_array_equal(opencv, np.float32([[0.1, -0.2, -0.3]]))
    np.testing.assert_array_equal(convert_normals(opencv, 'opencv'), normals)
    assert opencv.dtype == np.float32
    with pytest.raises(ValueError, match='is not one of'):
        convert_normals(normals, 'directx')


def test_docstring_examples():
    assert doctest.testmod(geometry).failed == 0


def test_the_example_of_the_docs(root, tmp_path, monkeypatch):
    """From relative depth to metres, points, normals and a file, on the sphere."""
    monkeypatch.chdir(tmp_path)
    intrinsics = intrinsics_of(SIZE, 40)
    truth, expected, mask = sphere(intrinsics)
    sensor = np.nan_to_num(truth, nan=9.0)
    values = {
        'pred': (sensor - 3) / 2,
        'disparity': 0.5 / sensor + 0.1,
        'sensor_depth': sensor,
        'mask': mask,
        'image': np.zeros((*SIZE, 3), np.uint8),
        'height': SIZE[0],
        'width': SIZE[1],
    }
    text = (root / 'docs/depth_and_normals.md').read_text()
    exec(text.split('```python\n')[1].split('```')[0], values)
    np.testing.assert_allclose(values['metres'][mask], truth[mask], rtol=1e-4)
    inner = (values['normals'] != 0).any(-1) & (expected[..., 2] > 0.5)
    assert (values['normals'] * expected).sum(-1)[inner].min() > 0.99
    assert len(trimesh.load(tmp_path / 'person.ply').vertices) == mask.sum()
