# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Procedural people: keypoints, labels, symmetry, agreement of the ground truths."""

import dataclasses

import numpy as np
import pytest
import trimesh
from invented_data import mirror_table

from sapiens_common.layouts.body_parts import BODY_PART_IDS, BODY_PART_NAMES
from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_synth import RenderConfig, get_preset, render_sample
from sapiens_synth.body_points import keypoint_template
from sapiens_synth.face_points import flip_partner
from sapiens_synth.person import build_person
from sapiens_synth.poses import sample_pose
from sapiens_synth.skeleton import (
    BONE_ID,
    BONES,
    HEAD_ORIGIN,
    MIRROR,
    Proportions,
    forward_kinematics,
)
from sapiens_synth.spec import Cloth, PersonSpec, sample_person
from sapiens_synth.visibility import VISIBLE, allowed_parts, keypoint_flags
from sapiens_synth.warps import Expression

SIZE = (320, 240)


def mirror_pose(rotations):
    """The pose seen in a mirror: left and right bones trade their mirrored rotations."""
    flip = np.diag(MIRROR)
    partner = {name: {'l': 'r', 'r': 'l'}[name[0]] + name[1:] for name in BONES if name[1] == '_'}
    return np.stack([flip @ rotations[BONE_ID[partner.get(n, n)]] @ flip for n in BONES])


def cloth(name):
    return Cloth(name, (0.3, 0.1, 0.1), (0.1, 0.1, 0.3))


def test_template_has_all_points_and_is_symmetric():
    rest = keypoint_template().rest
    assert np.isfinite(rest).all()
    np.testing.assert_allclose(rest[flip_partner()] * MIRROR, rest, atol=1e-12)
    # No two points share a place, except those that name the same spot twice.
    d = np.linalg.norm(rest[:, None] - rest[None], axis=-1) + np.eye(308)
    twins = {tuple(sorted(p)) for p in np.argwhere(d < 2e-4).tolist()}
    iris = {(1, 272), (1, 290), (272, 290), (2, 281), (2, 299), (281, 299)}
    assert twins <= iris | {(0, 178), (3, 237), (4, 263)}


def test_points_lie_in_anatomical_order():
    rest = keypoint_template().rest
    index = {k['name']: k['id'] for k in load_goliath308()['keypoints']}

    def at(name):
        return rest[index[name]]

    assert at('left_shoulder')[0] > 0 > at('right_shoulder')[0]
    heights = ['center_of_glabella', 'center_of_nose_root', 'midpoint_2_of_nose_bridge', 'midpoint_1_of_nose_bridge',
               'midpoint_3_of_nose_bridge', 'tip_of_nose_bridge', 'tip_of_nose', 'bottom_center_of_nose',
               'center_of_cupid_bow', 'center_of_upper_inner_lip', 'center_of_lower_inner_lip',
               'center_of_lower_outer_lip', 'center_of_labiomental_groove', 'tip_of_chin', 'neck']  # fmt: skip
    assert (np.diff([at(n)[1] for n in heights]) < 0).all()
    for side, sign in (('l', 1), ('r', -1)):
        # Seen in the image (x to the viewer's right), midpoints count 3, 1, 4, centre, 5, 2, 6.
        for line in (
            'upper_lash_line',
            'upper_eyelid_line',
            'upper_crease_line',
            'lower_lash_line',
        ):
            order = [f'{side}_midpoint_{i}_of_{line}' for i in (3, 1, 4)]
            order += [f'{side}_centerpoint_of_{line}']
            order += [f'{side}_midpoint_{i}_of_{line}' for i in (5, 2, 6)]
            assert (np.diff([at(n)[0] for n in order]) > 0).all(), (side, line)
        # Clock positions as the viewer reads them.
        assert at(f'{side}_border_of_iris_3')[0] > at(f'{side}_center_of_iris')[0]
        assert at(f'{side}_border_of_iris_12')[1] > at(f'{side}_border_of_iris_6')[1]
        assert (
            sign * at(f'{side}_outer_corner_of_mouth')[0]
            > sign * at(f'{side}_inner_corner_of_mouth')[0]
        )
    for finger in ('forefinger', 'middle_finger', 'ring_finger', 'pinky_finger', 'thumb'):
        chain = [f'left_{finger}_third_joint', *(f'left_{finger}{i}' for i in (2, 3, 4))]
        gaps = np.diff([np.linalg.norm(at(n) - at('left_wrist')) for n in chain])
        assert (gaps > 0.01).all(), finger


def surface_points(mesh, rest_points, kinds):
    """Follow rest points through the mesh: nearest triangle at rest, same barycentrics when posed."""
    ids = np.concatenate([np.arange(p.first, p.last) for p in mesh.parts if p.kind in kinds])
    corners = mesh.rest[mesh.faces[ids], :3].astype(float)
    center = corners.mean(1)
    posed, distance = np.empty((len(rest_points), 3)), np.empty(len(rest_points))
    for i, point in enumerate(rest_points):
        near = np.argsort(((center - point) ** 2).sum(1))[:24]
        tri = corners[near]
        # In millimetres: trimesh takes triangles of 0.1 square millimetres for lines.
        closest = trimesh.triangles.closest_point(1e3 * tri, np.tile(1e3 * point, (len(near), 1)))
        closest /= 1e3
        gap = np.linalg.norm(closest - point, axis=1)
        best = int(gap.argmin())
        bary = trimesh.triangles.points_to_barycentric(tri[[best]], closest[[best]])[0]
        posed[i] = bary @ mesh.vertices[mesh.faces[ids[near[best]]]]
        distance[i] = gap[best]
    return posed, distance


@pytest.mark.parametrize('seed', [0, 3])
def test_visible_face_points_are_on_the_surface_they_name(view, seed):
    spec = sample_person(np.random.default_rng(seed))
    mesh = build_person(spec, 'high')
    camera, scene, frame = view([mesh], mesh.keypoints[70:308], (0.35, 0.1, 1), (512, 384))
    xy, flags = keypoint_flags(
        mesh.keypoints, mesh.reach, 0, camera, scene.rays, frame.label, frame.instance
    )
    template = keypoint_template(spec.pupil_ratio)
    ids = np.arange(308)
    ears = template.head & ((ids == 3) | (ids == 4) | ((ids >= 220) & ~template.eye))
    skin = template.head & ~template.eye & ~ears
    for group, kinds in (
        (ids[skin], ('skin',)),
        (ids[ears], ('ears',)),
        (ids[template.eye], ('eyes',)),
    ):
        posed, distance = surface_points(mesh, template.rest[group], kinds)
        assert distance.max() < 0.001
        seen = flags[group] == VISIBLE
        error = np.linalg.norm(camera.project(posed)[:, :2] - xy[group], axis=1)[seen]
        assert error.max() < 2, group[seen][error.argmax()]
    assert (flags[template.head] == VISIBLE).sum() > 60


def test_visible_joints_are_behind_their_own_limb(view):
    """Hit by a ray of our own, the surface at a visible joint is that of the joint on the rest model."""
    template = keypoint_template()
    joints = ~template.head
    seen = np.zeros(308, bool)
    for seed, direction in enumerate([(0.3, 0.1, 1), (-0.5, 0.2, 1), (-0.2, 0.1, -1)]):
        mesh = build_person(sample_person(np.random.default_rng(seed)), 'low')
        camera, scene, frame = view([mesh], mesh.vertices, direction)
        xy, flags = keypoint_flags(
            mesh.keypoints, mesh.reach, 0, camera, scene.rays, frame.label, frame.instance
        )
        ids = np.flatnonzero(joints & (flags == VISIBLE))
        u, v = ((xy[ids] - camera.center) / camera.focal).T
        rays = np.stack([u, v, np.ones_like(u)], 1) @ camera.rotation
        hits = scene.rays.cast(camera.position, rays)
        assert hits.ray.tolist() == list(range(len(ids)))
        rest = (hits.bary[..., None] * mesh.rest[mesh.faces[hits.face], :3]).sum(1)
        gap = np.linalg.norm(rest - template.rest[ids], axis=1)
        # Shape and cloth move the surface by up to 3 cm against the template; another limb is far away.
        assert (gap < 1.3 * template.depth[ids] + 0.03).all(), ids[gap.argmax()]
        seen[ids] = True
    assert seen[joints].mean() > 0.85


def test_visible_points_carry_allowed_labels_and_match_the_depth_map():
    config = get_preset('quickstart', size=SIZE, framings=(1.0, 1.0, 1.0), people=(1, 2), yaw=90.0)
    allowed = allowed_parts()
    count = 0
    for index in range(6):
        sample = render_sample(11, index, config)
        for annotation in sample['annotations']:
            points = np.array(annotation['goliath_wholebody_kpts']).reshape(308, 3)
            inside = points[:, 2] > 0
            assert (points[~inside] == 0).all()
            assert annotation['num_keypoints'] == inside.sum()
            for kid in np.flatnonzero(points[:, 2] == VISIBLE):
                x, y = np.rint(points[kid, :2]).astype(int)
                assert sample['label'][y, x] in allowed[kid], kid
                assert sample['depth'][y, x] > 0
                count += 1
    assert count > 300


def test_ground_truths_agree():
    config = get_preset('default', size=(384, 288), detail='high', people=(1, 1))
    for index, framing in enumerate(np.eye(3)):
        sample = render_sample(2, index, dataclasses.replace(config, framings=tuple(framing)))
        depth, normal, mask = sample['depth'], sample['normal'], sample['mask'] > 0
        assert ((depth > 0) == mask).all()
        assert ((sample['label'] > 0) == mask).all()
        np.testing.assert_allclose(np.linalg.norm(normal[mask], axis=1), 1, atol=1e-4)
        assert (normal[~mask] == 0).all()
        c = sample['camera']
        y, x = np.mgrid[: depth.shape[0], : depth.shape[1]]
        p = np.stack([(x - c['cx']) / c['fx'] * depth, (y - c['cy']) / c['fy'] * depth, depth], -1)
        cross = np.cross(p[1:-1, 2:] - p[1:-1, :-2], p[2:, 1:-1] - p[:-2, 1:-1])
        slope = (
            -cross / np.maximum(np.linalg.norm(cross, axis=-1, keepdims=True), 1e-12) * [-1, 1, 1]
        )
        slope *= np.where(slope[..., 2:] < 0, -1, 1)
        n = normal[1:-1, 1:-1]
        # Inside surfaces: all neighbours on one smooth sheet, not seen edge on.
        inner = n[..., 2] > 0.2
        for dy in range(3):
            for dx in range(3):
                d = depth[dy : dy + n.shape[0], dx : dx + n.shape[1]]
                m = normal[dy : dy + n.shape[0], dx : dx + n.shape[1]]
                inner &= (d > 0) & (np.abs(d - depth[1:-1, 1:-1]) < 0.012 * d)
                inner &= (m * n).sum(-1) > 0.95
        angle = np.degrees(np.arccos(np.clip((slope * n).sum(-1), -1, 1)))[inner]
        assert inner.sum() > 0.5 * mask.sum()
        assert np.median(angle) < 2.5
        assert np.percentile(angle, 90) < 7


def test_normals_face_the_camera_and_point_up_where_the_surface_does(view):
    mesh = build_person(PersonSpec(pose=sample_pose(np.random.default_rng(0), 0.0)), 'low')
    _, _, frame = view([mesh], mesh.vertices)
    mask = frame.instance > 0
    assert frame.normal[mask][:, 2].mean() > 0.5
    ys, xs = np.nonzero(mask)
    top = ys < ys.min() + 3
    assert frame.normal[ys[top], xs[top], 1].mean() > 0.4
    middle = (ys.min() + ys.max()) // 2
    row = np.flatnonzero(mask[middle])
    assert frame.normal[middle, row[-1], 0] > 0.3
    assert frame.normal[middle, row[0], 0] < -0.3


def symmetric_person():
    pose = sample_pose(np.random.default_rng(4), 1.0)
    mirrored = mirror_pose(pose)
    for i, name in enumerate(BONES):
        if name.startswith('r_'):
            pose[i] = mirrored[i]
        elif not name.startswith('l_'):
            pose[i] = np.eye(3)
    names = ('socks', 'shorts', 'tank')
    return PersonSpec(
        pose, hair='short', expression=Expression(open=0.012), clothes=[cloth(n) for n in names]
    )


def test_symmetric_pose_gives_mirrored_labels_and_keypoints(view):
    spec = symmetric_person()
    np.testing.assert_allclose(mirror_pose(spec.pose), spec.pose, atol=1e-12)
    mesh = build_person(spec, 'low')
    # The subject's extent and the camera are symmetric about x = 0.
    points = np.vstack([mesh.vertices, mesh.vertices * [-1, 1, 1]])
    camera, scene, frame = view([mesh], points)
    flipped = mirror_table()[frame.label[:, ::-1]]
    differs = flipped != frame.label
    assert differs.mean() < 1e-3
    assert {'Left_Hand', 'Right_Sock', 'Upper_Clothing'} <= {
        BODY_PART_NAMES[i] for i in np.unique(frame.label)
    }
    xy, flags = keypoint_flags(
        mesh.keypoints, mesh.reach, 0, camera, scene.rays, frame.label, frame.instance
    )
    partner = flip_partner()
    mirrored = np.column_stack([SIZE[1] - 1 - xy[partner, 0], xy[partner, 1]])
    np.testing.assert_allclose(mirrored, xy, atol=0.02)
    # A point exactly on an edge may tip over; no more than a few do.
    assert (flags[partner] != flags).sum() <= 6
    shift = np.abs(frame.depth[:, ::-1] - frame.depth)[~differs]
    assert np.percentile(shift, 99.9) < 1e-3


def test_mirrored_pose_moves_mirrored_bones():
    pose = sample_pose(np.random.default_rng(5))
    neutral = Proportions.neutral()
    a = forward_kinematics(pose, neutral)
    b = forward_kinematics(mirror_pose(pose), neutral)
    point = np.array([0.3, 1.2, 0.05])
    i, j = BONE_ID['l_forearm'], BONE_ID['r_forearm']
    np.testing.assert_allclose(
        (a[i, :, :3] @ point + a[i, :, 3]) * MIRROR,
        b[j, :, :3] @ (point * MIRROR) + b[j, :, 3],
        atol=1e-12,
    )


def test_all_parts_occur(view):
    rng = np.random.default_rng(0)
    found = set()
    outfits = [
        (['shorts', 'tshirt', 'belt'], 'short', ''),
        (['shoes', 'shorts'], 'bald', 'cap'),
        (['socks', 'briefs', 'tank'], 'long', ''),
    ]
    for names, hair, hat in outfits:
        spec = PersonSpec(
            sample_pose(rng, 0.0), hair=hair, hat=hat, clothes=[cloth(n) for n in names]
        )
        spec.expression = Expression(open=0.024)
        mesh = build_person(spec, 'low')
        for points, direction in (
            (mesh.vertices, (0, 0.1, 1)),
            (mesh.keypoints[188:220], (0, 0, 1)),
        ):
            _, _, frame = view([mesh], points, direction)
            found |= set(np.unique(frame.label).tolist())
    assert found == set(range(28)), [BODY_PART_NAMES[i] for i in set(range(28)) - found]


def test_closed_mouth_hides_the_teeth_and_occlusion_is_real(view):
    spec = PersonSpec(
        sample_pose(np.random.default_rng(0), 0.0),
        hair='bald',
        clothes=[cloth('tshirt'), cloth('jeans')],
    )
    mesh = build_person(spec, 'low')
    camera, scene, frame = view([mesh], mesh.keypoints[70:308])
    assert not set(np.unique(frame.label)) & {BODY_PART_IDS['Upper_Teeth'], BODY_PART_IDS['Tongue']}
    # A second, larger person right in front hides everything.
    front = PersonSpec(spec.pose, hair='bald', clothes=spec.clothes)
    front.root = np.eye(4)
    front.root[2, 3] = 0.3
    both = [mesh, build_person(front, 'low')]
    camera, scene, frame = view(both, both[1].keypoints[70:308])
    args = (camera, scene.rays, frame.label, frame.instance)
    _, hidden = keypoint_flags(mesh.keypoints, mesh.reach, 0, *args)
    _, seen = keypoint_flags(both[1].keypoints, both[1].reach, 1, *args)
    assert (hidden[70:220] == VISIBLE).sum() == 0
    assert (seen[70:220] == VISIBLE).sum() > 100


def test_back_view_hides_the_face(view):
    spec = PersonSpec(
        sample_pose(np.random.default_rng(0), 0.0),
        hair='short',
        clothes=[cloth('tshirt'), cloth('jeans')],
    )
    mesh = build_person(spec, 'low')
    camera, scene, frame = view([mesh], mesh.vertices, (0, 0, -1))
    _, flags = keypoint_flags(
        mesh.keypoints, mesh.reach, 0, camera, scene.rays, frame.label, frame.instance
    )
    assert (flags[70:220] == VISIBLE).sum() == 0
    index = {k['name']: k['id'] for k in load_goliath308()['keypoints']}
    assert flags[index['left_olecranon']] == VISIBLE
    assert flags[index['left_cubital_fossa']] != VISIBLE


def test_head_frame_is_where_the_head_is():
    assert abs(keypoint_template().rest[1][1] - HEAD_ORIGIN[1]) < 1e-9


def test_settings_are_checked():
    with pytest.raises(ValueError, match='at least 16'):
        RenderConfig(size=(4, 4))
    with pytest.raises(ValueError, match='1 <= min <= max'):
        RenderConfig(people=(3, 1))
    with pytest.raises(ValueError, match='three shares'):
        RenderConfig(framings=(0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match='unknown preset'):
        get_preset('nothing')
    with pytest.raises(ValueError, match='image_format'):
        RenderConfig(image_format='gif')
    with pytest.raises(ValueError, match='detail'):
        RenderConfig(detail='fine')
    with pytest.raises(ValueError, match='focal_mm'):
        RenderConfig(focal_mm=(50.0, 25.0))
