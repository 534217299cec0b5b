# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The engine against closed forms: a sphere and a cube, depth and normals to 1e-3."""

import numpy as np
import pytest
import trimesh

from sapiens_synth.camera import Camera, frame_points, look_at
from sapiens_synth.raycast import RayScene
from sapiens_synth.scans import find_scans, load_scan
from sapiens_synth.scene import Scene
from sapiens_synth.shading import sample_light


def render(scan, camera):
    light = sample_light(np.random.default_rng(0), -camera.rotation[2])
    background = np.full((camera.height, camera.width, 3), 0.5, np.float32)
    return Scene([scan]).render(camera, light, background)


def closed_form_rays(camera):
    y, x = np.mgrid[: camera.height, : camera.width]
    local = np.stack(
        [
            (x - camera.center[0]) / camera.focal,
            (y - camera.center[1]) / camera.focal,
            np.ones_like(x),
        ],
        axis=-1,
    )
    return local, local @ camera.rotation


def to_output_axes(camera, normal):
    """World normals to X right, Y up, Z towards the camera, without the engine's own conversion."""
    right, down, forward = camera.rotation
    return np.stack([normal @ right, -(normal @ down), -(normal @ forward)], -1)


@pytest.fixture
def camera():
    return look_at(np.array([0.9, 1.5, 2.2]), np.array([0.0, 0.5, 0.0]), 0.1, 40.0, 120, 90)


def test_sphere_depth_and_normals_match_the_closed_form(tmp_path, camera):
    path = tmp_path / 'sphere.ply'
    trimesh.creation.icosphere(subdivisions=7, radius=0.5).export(path)
    frame = render(load_scan(str(path)), camera)
    _, d = closed_form_rays(camera)
    center = np.array([0, 0.5, 0])
    oc = camera.position - center
    a, b, c = (d * d).sum(-1), 2 * (d @ oc), oc @ oc - 0.25
    disc = b * b - 4 * a * c
    # A faceted silhouette differs from the true one; stay where the view is not grazing.
    t = (-b - np.sqrt(np.maximum(disc, 0))) / (2 * a)
    normal = (camera.position + t[..., None] * d - center) / 0.5
    cosine = -(normal * d).sum(-1) / np.sqrt(a)
    inside = (disc > 0) & (cosine > 0.25)
    assert inside.sum() > 800
    assert (frame.instance[inside] == 1).all()
    assert np.abs(frame.depth - t)[inside].max() < 1e-3
    assert np.abs(frame.normal - to_output_axes(camera, normal))[inside].max() < 1e-3
    assert (frame.depth[disc <= 0] == 0).all()
    assert (frame.normal[disc <= 0] == 0).all()


def test_cube_keeps_its_edges_and_matches_the_closed_form(tmp_path, camera):
    # Eight shared vertices: smooth shading would bend the normals, so creases must be found.
    path = tmp_path / 'cube.obj'
    trimesh.creation.box((1.0, 1.0, 1.0)).export(path)
    frame = render(load_scan(str(path)), camera)
    _, d = closed_form_rays(camera)
    low, high = np.array([-0.5, 0, -0.5]), np.array([0.5, 1, 0.5])
    t0, t1 = (low - camera.position) / d, (high - camera.position) / d
    enter, leave = np.minimum(t0, t1), np.maximum(t0, t1)
    t = enter.max(-1)
    hit = t < leave.min(-1)
    axis = enter.argmax(-1)
    normal = -np.sign(np.take_along_axis(d, axis[..., None], -1)) * np.eye(3)[axis]
    # A pixel on an edge may fall to either face.
    second = np.sort(enter, -1)[..., 1]
    clear = hit & (t - second > 1e-4)
    assert clear.sum() > 1500
    assert np.abs(frame.depth - t)[clear].max() < 1e-3
    assert np.abs(frame.normal - to_output_axes(camera, normal))[clear].max() < 1e-3


def test_projection_inverts_rays(camera):
    rng = np.random.default_rng(1)
    xy = rng.uniform(0, 80, (50, 2))
    depth = rng.uniform(1, 5, 50)
    points = camera.position + depth[:, None] * camera.rays(xy[:, 0], xy[:, 1])
    np.testing.assert_allclose(camera.project(points), np.column_stack([xy, depth]), atol=2e-4)


def test_integer_coordinates_are_pixel_centres():
    camera = Camera(8, 8, 10.0, (3.5, 3.5), np.eye(3), np.zeros(3))
    np.testing.assert_allclose(camera.project(np.array([[0, 0, 2.0]])), [[3.5, 3.5, 2.0]])


def test_framing_keeps_the_subject_inside():
    points = np.random.default_rng(0).uniform([-0.3, 0, -0.2], [0.3, 1.8, 0.2], (300, 3))
    for shift in ((0, 0), (-1, 1), (1, -1)):
        camera = frame_points(points, np.array([0.3, 0.2, 1]), 0.05, 35.0, (200, 150), 0.8, shift)
        uv = camera.project(points)[:, :2]
        size = uv.max(0) - uv.min(0)
        assert max(size[0] / 150, size[1] / 200) == pytest.approx(0.8, abs=0.02)
        assert uv.min() > -2
        assert (uv.max(0) < [152, 202]).all()


def test_hits_name_mesh_and_face():
    v = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    f = np.array([[0, 1, 2]])
    scene = RayScene([(v, f), (v + np.array([0, 0, 1]), np.repeat(f, 2, 0))])
    rays = np.tile([0, 0, -1.0], (2, 1))
    hits = scene.cast(np.array([[0.2, 0.2, 0.5], [0.2, 0.2, 2.0]]), rays)
    assert hits.mesh.tolist() == [0, 1]
    np.testing.assert_allclose(hits.t, [0.5, 1.0])
    np.testing.assert_allclose(hits.bary[0], [0.6, 0.2, 0.2], atol=1e-6)
    assert scene.blocked(np.array([[0.2, 0.2, 2.0], [3, 3, 3]]), rays).tolist() == [True, False]


def test_scans_report_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match='does not exist'):
        find_scans(str(tmp_path / 'none'))
    with pytest.raises(ValueError, match='holds no mesh'):
        find_scans(str(tmp_path))
    broken = tmp_path / 'broken.obj'
    broken.write_text('v 0 0 0\nf 1 2 3\n')
    with pytest.raises(ValueError, match=r'broken\.obj'):
        load_scan(str(broken))
    with pytest.raises(ValueError, match='without triangles'):
        RayScene([(np.zeros((3, 3)), np.zeros((0, 3), int))])


def test_texture_and_vertex_colours_are_used(tmp_path):
    from PIL import Image

    quad_v = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    quad_f = np.array([[0, 1, 2], [0, 2, 3]])
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    picture = Image.fromarray(
        np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    )
    visual = trimesh.visual.TextureVisuals(uv=uv, image=picture)
    trimesh.Trimesh(quad_v, quad_f, visual=visual, process=False).export(tmp_path / 'tex.glb')
    scan = load_scan(str(tmp_path / 'tex.glb'))
    assert scan.texture is not None
    # Upper left corner of the picture is red.
    i = np.flatnonzero((scan.vertices[:, 0] < 0) & (scan.vertices[:, 1] > 0.5))[:1]
    albedo, label, _ = scan.shade(np.zeros(1, int), scan.rest[i] + [[0.001, -0.001, 0]])
    assert albedo[0, 0] > 0.9
    assert albedo[0, 1] < 0.1
    assert label.tolist() == [0]
    colors = np.array([[255, 0, 0, 255]] * 4, np.uint8)
    trimesh.Trimesh(quad_v, quad_f, vertex_colors=colors, process=False).export(
        tmp_path / 'col.ply'
    )
    scan = load_scan(str(tmp_path / 'col.ply'))
    np.testing.assert_allclose(scan.rest[0], [1, 0, 0], atol=1e-6)
