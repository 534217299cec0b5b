# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""People as photographs show them: activities, objects, alpha, albedo, faults of cameras."""

import cv2
import numpy as np
import pytest

from sapiens_common.layouts.body_parts import BODY_PART_IDS
from sapiens_synth import get_preset, render_sample
from sapiens_synth.activities import ACTIVITIES, sample_activity
from sapiens_synth.backdrops import leaves, take_photo
from sapiens_synth.camera import look_at
from sapiens_synth.config import RenderConfig
from sapiens_synth.objects import SHAPES, make_thing, seat
from sapiens_synth.person import build_person
from sapiens_synth.poses import sample_pose
from sapiens_synth.scene import Scene
from sapiens_synth.shading import sample_light
from sapiens_synth.spec import PersonSpec

PHOTOS = get_preset('photos', size=(64, 64))
FRONT = np.array([0.0, 0.0, 1.0])


def standing(**parts):
    return build_person(PersonSpec(sample_pose(np.random.default_rng(0), 0.0), **parts), 'coarse')


def view(meshes, size=96):
    camera = look_at(np.array([0, 0.9, 4.0]), np.array([0, 0.9, 0.0]), 0, 50, size, size)
    light = sample_light(np.random.default_rng(0), FRONT)
    return Scene(meshes).render(camera, light, np.full((size, size, 3), 0.5, np.float32))


def test_every_activity_is_drawn_and_is_a_pose():
    rng = np.random.default_rng(0)
    names = set()
    for _ in range(400):
        pose, name = sample_activity(rng)
        names.add(name)
        np.testing.assert_allclose(pose @ pose.transpose(0, 2, 1), np.eye(3)[None].repeat(len(pose), 0), atol=1e-9)  # fmt: skip
        assert (np.linalg.det(pose) > 0).all()
    assert names == set(ACTIVITIES)


@pytest.mark.parametrize(
    ('name', 'holds'),
    [
        # Heights of nose (0), hips (9), knees (11), ankles (13) in the world.
        ('sit', lambda y: abs(y[9] - y[11]) < 0.3 and y[0] > y[9] + 0.3),
        ('lie', lambda y: abs(y[0] - y[9]) < 0.45),
        ('squat', lambda y: y[9] - y[13] < 0.6),
        ('stand', lambda y: y[0] > y[9] > y[11] > y[13]),
    ],
)
def test_activities_are_what_they_are_called(name, holds, monkeypatch):
    monkeypatch.setattr('sapiens_synth.activities.ACTIVITIES', {name: ACTIVITIES[name]})
    rng = np.random.default_rng(1)
    good = 0
    for _ in range(8):
        pose, drawn = sample_activity(rng)
        assert drawn == name
        good += holds(build_person(PersonSpec(pose), 'coarse').keypoints[:, 1])
    assert good >= 7


def test_alpha_is_the_share_of_a_pixel_and_albedo_has_no_light():
    person = standing(skin=(0.5, 0.5, 0.5))
    frame = view([person])
    inside = cv2.erode((frame.instance > 0).astype(np.uint8), np.ones((3, 3))) > 0
    outside = cv2.dilate((frame.instance > 0).astype(np.uint8), np.ones((3, 3))) == 0
    assert (frame.alpha[inside] >= 191).mean() > 0.99  # gaps between fingers aside
    assert (frame.alpha[outside] == 0).all()
    # Four times as fine a mask, averaged, is what alpha should be.
    fine = view([person], 384).instance > 0
    share = cv2.resize(fine.astype(np.float32), (96, 96), interpolation=cv2.INTER_AREA)
    assert np.abs(share - frame.alpha / 255).mean() < 0.02
    assert ((frame.alpha > 0) & (frame.alpha < 255)).sum() > 30
    hand = np.isin(frame.label, [BODY_PART_IDS['Left_Hand'], BODY_PART_IDS['Right_Hand']])
    assert hand.sum() > 5
    linear = ((frame.albedo[hand] / 255.0 + 0.055) / 1.055) ** 2.4
    assert np.median(linear) == pytest.approx(0.5, abs=0.06)
    assert (frame.albedo[frame.instance == 0] == 0).all()


@pytest.mark.parametrize('shape', SHAPES)
def test_things_hide_people_and_are_background(shape):
    rng = np.random.default_rng(0)
    person = standing()
    alone = view([person])
    size = np.array([0.5, 0.5, 0.3])
    thing = make_thing(rng, shape, size, np.eye(3), np.array([0, 1.2, 0.8]))
    frame = view([person, thing])
    hidden = (alone.instance > 0) & (frame.instance == 0)
    assert hidden.sum() > 50
    for values in (frame.depth, frame.label, frame.alpha, frame.albedo.sum(-1)):
        assert (values[cv2.erode(hidden.astype(np.uint8), np.ones((3, 3))) > 0] == 0).all()
    assert (frame.image[hidden] != alone.image[hidden]).any()
    np.testing.assert_allclose(np.linalg.norm(thing.normals, axis=1), 1, atol=1e-5)


def test_a_seat_is_under_the_hips():
    person = standing()
    hips = person.keypoints[[9, 10]].mean(0)
    found = seat(np.random.default_rng(0), person)
    assert found.vertices[:, 1].max() == pytest.approx(hips[1] - 0.10, abs=0.01)
    assert np.abs(found.vertices.mean(0) - hips)[[0, 2]].max() < 0.15


def test_photos_are_a_function_of_seed_and_index():
    first = [render_sample(3, i, PHOTOS) for i in range(3)]
    again = [render_sample(3, i, PHOTOS) for i in reversed(range(3))][::-1]
    for a, b in zip(first, again, strict=True):
        for key in ('image', 'alpha', 'albedo', 'depth', 'label'):
            np.testing.assert_array_equal(a[key], b[key])
        assert a['annotations'] == b['annotations']
    assert any((a['depth'] > 0).sum() for a in first)


@pytest.mark.parametrize(('index', 'people'), [(166, 2), (968, 2), (1721, 2)])
def test_nobody_stands_where_the_camera_is(index, people):
    """Scenes in which a bystander's place, drawn before the camera, was the camera's."""
    sample = render_sample(1, index, PHOTOS)
    assert sample['depth'][sample['mask'] > 0].min() > 0.15
    assert len(sample['annotations']) == people


def test_backgrounds_and_faults_keep_to_their_range():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        picture = leaves(rng, 48, 64)
        assert picture.shape == (48, 64, 3) and picture.dtype == np.float32
        assert 0 <= picture.min() and picture.max() <= 1 and picture.std() > 0.005
        photo = take_photo(rng, (picture * 255).astype(np.uint8))
        assert photo.shape == picture.shape and photo.dtype == np.uint8


def test_shares_are_checked():
    with pytest.raises(ValueError, match=r'objects must be a share in 0\.\.1, got 1\.5'):
        RenderConfig(objects=1.5)
    with pytest.raises(ValueError, match="detail must be one of auto, coarse, low, high, got 'x'"):
        RenderConfig(detail='x')
