# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The engine against closed forms: a sphere and a cube, depth and normals to 1e-3."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from sapiens_synth.camera import Camera, frame_points, look_at
from sapiens_synth.raycast import RayScene
from sapiens_synth.scans import ScanMesh, find_scans, load_scan
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


QUAD = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
QUAD_FACES = np.array([[0, 1, 2], [0, 2, 3]])
QUAD_UV = QUAD[:, :2]


def painted_quad():
    """A quad of 1 m whose texture is red, green in the upper row and blue, white in the lower one."""
    colors = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]]
    picture = Image.fromarray(np.array(colors, np.uint8).repeat(8, 0).repeat(8, 1))
    visual = trimesh.visual.TextureVisuals(uv=QUAD_UV, image=picture)
    return trimesh.Trimesh(QUAD, QUAD_FACES, visual=visual, process=False)


@pytest.mark.parametrize('suffix', ['obj', 'glb'])
def test_textures_are_rendered_upright(tmp_path, suffix):
    painted_quad().export(tmp_path / f'quad.{suffix}')
    scan = load_scan(str(tmp_path / f'quad.{suffix}'))
    camera = look_at(np.array([0, 0.5, 2]), np.array([0, 0.5, 0]), 0.0, 40.0, 60, 60)
    frame = render(scan, camera)
    ys, xs = np.nonzero(frame.instance)
    top, left, side = ys.min(), xs.min(), np.ptp(xs) + 1
    near, far = round(0.25 * side), round(0.75 * side)
    corners = [(top + y, left + x) for y in (near, far) for x in (near, far)]
    # BGR: red, green, blue, white.
    expected = [[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert [(frame.image[corner] > 100).astype(int).tolist() for corner in corners] == expected


def test_vertex_and_material_colours_are_used(tmp_path, caplog):
    colors = np.array([[255, 0, 0, 255]] * 4, np.uint8)
    red = trimesh.Trimesh(QUAD, QUAD_FACES, vertex_colors=colors, process=False)
    red.export(tmp_path / 'col.ply')
    material = trimesh.visual.material.PBRMaterial(baseColorFactor=[0, 255, 0, 255])
    visual = trimesh.visual.TextureVisuals(uv=QUAD_UV, material=material)
    green = trimesh.Trimesh(QUAD, QUAD_FACES, visual=visual, process=False)
    green.export(tmp_path / 'flat.glb')
    for name, color in (('col.ply', [1, 0, 0]), ('flat.glb', [0, 1, 0])):
        scan = load_scan(str(tmp_path / name))
        assert scan.texture is None
        np.testing.assert_allclose(scan.rest, np.tile(color, (4, 1)), atol=1e-6)
    assert caplog.text == ''


def test_a_lost_texture_is_named_and_a_torn_one_refused(tmp_path, caplog):
    for folder in ('lost', 'torn'):
        (tmp_path / folder).mkdir()
        painted_quad().export(tmp_path / folder / 'quad.obj')
    (picture,) = (tmp_path / 'torn').glob('*.png')
    picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(ValueError, match=r'torn/quad\.obj cannot be read.*truncated'):
        load_scan(str(tmp_path / 'torn/quad.obj'))
    (tmp_path / 'lost' / picture.name).unlink()
    scan = load_scan(str(tmp_path / 'lost/quad.obj'))
    assert (scan.texture, len(np.unique(scan.rest))) == (None, 1)
    assert 'lost/quad.obj has texture coordinates, but no texture' in caplog.text


def test_textures_repeat():
    texture = np.array([[[0] * 3, [255] * 3]], np.uint8)
    scan = ScanMesh(QUAD, QUAD_FACES, QUAD, QUAD, texture)
    u = np.array([0.25, 0.75, 1.25, -0.25, 0.5])
    albedo = scan.shade(np.zeros(5, int), np.stack([u, u, u], 1))[0]
    np.testing.assert_allclose(albedo[:, 0], [0, 1, 0, 1, 0.5], atol=1e-6)
