# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Maps of scans at distorted pixels against closed forms, and Hi4D's layout from end to end."""

import json

import cv2
import numpy as np
import pytest
import trimesh

from sapiens_synth.calibrated import CalibratedCamera, SurfaceRenderer
from sapiens_synth.hi4d import find_shots, read_camera

H, W = 120, 160
K = np.array([[210.0, 0, 83.0], [0, 205.0, 57.0], [0, 0, 1]])
DISTORTION = np.array([-0.25, 0.12, 0.003, -0.002, 0.01])
CENTER, RADIUS = np.array([0.1, 1.2, 0.05]), 0.5


def camera_at(position, target=CENTER):
    """Rotation and translation of a camera that looks at a point, rolled a little."""
    z = (target - position) / np.linalg.norm(target - position)
    x = np.cross(z, [0.1, -1.0, 0.05])
    x /= np.linalg.norm(x)
    rotation = np.stack([x, np.cross(z, x), z])
    return rotation, -rotation @ position


def undistorted(u, v):
    """Ideal image coordinates by Newton's method on Brown's model, written out: no OpenCV."""
    k1, k2, p1, p2, k3 = DISTORTION
    goal = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]])

    def distort(point):
        x, y = point
        r = x * x + y * y
        radial = 1 + k1 * r + k2 * r**2 + k3 * r**3
        return np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r + 2 * x * x),
                y * radial + p1 * (r + 2 * y * y) + 2 * p2 * x * y,
            ]
        )

    point, step = goal.copy(), 1e-6
    for _ in range(20):
        value = distort(point)
        dx = (distort(point + np.array([[step], [0]])) - value) / step
        dy = (distort(point + np.array([[0], [step]])) - value) / step
        error = goal - value
        det = dx[0] * dy[1] - dy[0] * dx[1]
        point = point + np.stack(
            [
                (dy[1] * error[0] - dy[0] * error[1]) / det,
                (dx[0] * error[1] - dx[1] * error[0]) / det,
            ]
        )
    assert np.abs(distort(point) - goal).max() < 1e-12
    return point


def sphere_maps(rotation, translation):
    """Mask, depth and normals of the sphere, in closed form, at every pixel's middle."""
    v, u = np.indices((H, W)).reshape(2, -1).astype(float)
    x, y = undistorted(u, v)
    rays = np.stack([x, y, np.ones_like(x)], axis=1)
    center = rotation @ CENTER + translation
    a, b = (rays**2).sum(1), rays @ center
    root = b**2 - a * (center @ center - RADIUS**2)
    depth = (b - np.sqrt(np.maximum(root, 0))) / a
    normals = (rays * depth[:, None] - center) / RADIUS * [1, -1, -1]
    # How squarely the surface is seen: at the rim a triangle's edge decides.
    squarely = -((rays * depth[:, None] - center) / RADIUS * rays).sum(1) / np.sqrt(a)
    seen = root > 0
    return (values.reshape(H, W, *values.shape[1:]) for values in (seen, depth, normals, squarely))


def test_distorted_pixels_equal_the_closed_form():
    rotation, translation = camera_at(np.array([1.2, 1.5, 1.9]))
    camera = CalibratedCamera(H, W, K, rotation, translation, DISTORTION)
    ball = trimesh.creation.icosphere(subdivisions=7, radius=RADIUS)
    surface = SurfaceRenderer(ball.vertices + CENTER, ball.faces).render(camera)
    seen, depth, normals, squarely = sphere_maps(rotation, translation)
    inner = seen & (squarely > 0.2)
    assert inner.sum() > 5000 and (surface.mask == seen).mean() > 0.999
    assert np.abs(surface.depth - depth)[inner].max() < 1e-3
    assert np.abs(surface.normals - normals)[inner].max() < 1e-3
    assert not surface.depth[~surface.mask].any() and not surface.normals[~surface.mask].any()
    # The lens matters: without its distortion the same scene is off by far more.
    ideal = CalibratedCamera(H, W, K, rotation, translation, np.zeros(5))
    straight = SurfaceRenderer(ball.vertices + CENTER, ball.faces).render(ideal)
    assert np.abs(straight.depth - depth)[inner & straight.mask].max() > 0.01


def test_projection_and_rays_are_inverse():
    rotation, translation = camera_at(np.array([0.0, 1.0, 2.0]))
    camera = CalibratedCamera(H, W, K, rotation, translation, DISTORTION)
    x, y = np.array([0.0, W - 1, 40.25]), np.array([0.0, H - 1, 77.5])
    points = camera.position + camera.rays(x, y) * 1.7
    np.testing.assert_allclose(camera.project(points), np.stack([x, y, [1.7] * 3], 1), atol=1e-5)


def test_the_inside_of_an_open_mesh_faces_the_camera():
    rotation, translation = camera_at(np.array([0.1, 1.2, 2.0]))
    sheet = np.array([[-1, 0.2, 0], [1, 0.2, 0], [1, 2.2, 0], [-1, 2.2, 0]])
    for faces in ([[0, 1, 2], [0, 2, 3]], [[0, 2, 1], [0, 3, 2]]):
        camera = CalibratedCamera(H, W, K, rotation, translation, np.zeros(0))
        surface = SurfaceRenderer(sheet, np.array(faces)).render(camera)
        assert surface.mask.all() and (surface.normals[..., 2] > 0.9).all()


@pytest.fixture
def hi4d(tmp_path):
    """Two frames of one action with the files of the set; two cameras."""
    root = tmp_path / 'hi4d'
    action = root / 'pair28/dance28'
    for folder in ('cameras', 'frames', 'images/4', 'images/16', *(
        f'seg/img_seg_mask/{camera}/all' for camera in (4, 16)
    )):  # fmt: skip
        (action / folder).mkdir(parents=True)
    poses = [camera_at(np.array(p)) for p in ((1.2, 1.5, 1.9), (-1.0, 1.3, 2.0))]
    np.savez(
        action / 'cameras/rgb_cameras.npz',
        ids=np.array([4, 16]),
        intirnsics=np.stack([K, K]),
        extrinsics=np.stack([np.column_stack(pose) for pose in poses]),
        dist_coeffs=np.stack([DISTORTION, DISTORTION]),
    )
    ball = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)
    ball.apply_translation(CENTER)
    for frame in (1, 2):
        ball.export(action / f'frames/mesh-f{frame:05d}.obj')
        for camera, (rotation, translation) in zip((4, 16), poses, strict=True):
            seen = next(iter(sphere_maps(rotation, translation)))
            mask = seen.astype(np.uint8) * 255
            cv2.imwrite(str(action / f'images/{camera}/{frame:06d}.jpg'), np.dstack([mask] * 3))
            cv2.imwrite(str(action / f'seg/img_seg_mask/{camera}/all/{frame:06d}.png'), mask)
    return root


@pytest.fixture
def render(hi4d, tmp_path, exit_of):
    """`render(*options)`: exit code or message of the command; `render.out` is what it wrote."""

    def run(*options):
        arguments = ['--root', hi4d, '--out', tmp_path / 'maps', '--pairs', 28]
        return exit_of('tools/data/render_scans.py', 'hi4d', *arguments, *options)[0]

    run.out = tmp_path / 'maps'
    return run


def test_hi4d_becomes_a_training_folder(render, hi4d):
    assert render('--cameras', '4', '16') == 0
    names = (render.out / 'val.txt').read_text().split()
    assert names == sorted(f'pair28/dance28/{c}/00000{f}' for c in (16, 4) for f in (1, 2))
    manifest = json.loads((render.out / 'manifest.json').read_text())
    assert manifest['photos'] == 4 and manifest['mean_overlap'] > 0.99 and not manifest['skipped']
    name = 'pair28/dance28/4/000001'
    depth = np.load(render.out / f'depths/{name}.npz')['arr_0']
    normals = np.load(render.out / f'normals/{name}.npz')['arr_0']
    seen, expected, directions, squarely = sphere_maps(*camera_at(np.array([1.2, 1.5, 1.9])))
    inner = seen & (squarely > 0.3)
    assert np.abs(depth - expected)[inner].max() < 5e-3  # of a coarse ball
    assert np.abs(normals - directions)[inner].max() < 0.02
    matrix = np.loadtxt(render.out / f'camera_intrinsics/{name}.txt')
    np.testing.assert_allclose(matrix, K)
    # Again: nothing is rendered twice.
    before = (render.out / f'depths/{name}.npz').stat().st_mtime_ns
    assert render('--cameras', '4', '16') == 0
    assert (render.out / f'depths/{name}.npz').stat().st_mtime_ns == before


def test_wrong_cameras_are_found(render, hi4d):
    path = hi4d / 'pair28/dance28/cameras/rgb_cameras.npz'
    with np.load(path) as file:
        arrays = dict(file)
    turned = arrays['extrinsics'].copy()
    for one in turned:  # camera to world, as other sets have it
        one[:, :3], one[:, 3] = one[:, :3].T.copy(), -one[:, :3].T @ one[:, 3]
    np.savez(path, **{**arrays, 'extrinsics': turned})
    message = render()
    assert 'none of 2 photos could be used' in message
    assert 'overlap by 0.0' in message or 'sees nothing' in message
    assert 'direction of the extrinsics' in message


def test_readers_name_what_is_wrong(hi4d):
    with pytest.raises(ValueError, match=r'no pair37\*/<action>/frames'):
        find_shots(hi4d, pairs=[37])
    with pytest.raises(ValueError, match='expected the photos of camera 28'):
        find_shots(hi4d, pairs=[28], cameras=[28])
    assert len(find_shots(hi4d, pairs=[28], every=2)) == 1
    path = hi4d / 'pair28/dance28/cameras/rgb_cameras.npz'
    with pytest.raises(ValueError, match=r'camera 40 is not among \[4, 16\]'):
        read_camera(path, 40, (H, W))
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{('intrinsics' if k == 'intirnsics' else k): v for k, v in arrays.items()})
    assert read_camera(path, 16, (H, W)).intrinsics[0, 0] == 210  # spelt either way
    np.savez(path, **{**arrays, 'extrinsics': 2 * arrays['extrinsics']})
    with pytest.raises(ValueError, match='the extrinsics of camera 4 hold no rotation'):
        read_camera(path, 4, (H, W))
    np.savez(path, ids=arrays['ids'])
    with pytest.raises(ValueError, match=r'expected ids, intrinsics, extrinsics, dist_coeffs; got'):
        read_camera(path, 4, (H, W))
    path.write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'rgb_cameras\.npz cannot be read'):
        read_camera(path, 4, (H, W))
