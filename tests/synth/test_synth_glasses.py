# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Glasses of rendered people: what they hide, and where they are a label."""

import dataclasses

import numpy as np
import pytest

from sapiens_common.layouts.body_parts import BODY_PART_IDS, BODY_PART_NAMES
from sapiens_common.layouts.body_parts29 import BODY_PART29_NAMES
from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_synth import get_preset, render_sample
from sapiens_synth.glasses import GLASSES, GLASSES_STYLES
from sapiens_synth.person import build_person
from sapiens_synth.skeleton import BONES, HEAD_ORIGIN
from sapiens_synth.spec import PersonSpec
from sapiens_synth.visibility import VISIBLE, keypoint_flags


@pytest.mark.parametrize('style', ['', *GLASSES_STYLES])
def test_only_dark_glasses_hide_the_eyes(view, style):
    pose = np.tile(np.eye(3), (len(BONES), 1, 1))
    person = build_person(PersonSpec(pose=pose, hair='bald', glasses=style), 'coarse')
    head = person.vertices[person.vertices[:, 1] > HEAD_ORIGIN[1] - 0.1]
    camera, scene, frame = view([person], head, size=(160, 120))
    assert (frame.label == GLASSES).any() == bool(style)
    assert {*np.unique(frame.label)} <= {*range(len(BODY_PART_NAMES)), GLASSES}
    _, flags = keypoint_flags(
        person.keypoints, person.reach, 0, camera, scene.rays, frame.label, frame.instance
    )
    index = {k['name']: k['id'] for k in load_goliath308()['keypoints']}
    for eye in ('left_eye', 'right_eye'):
        assert (flags[index[eye]] == VISIBLE) == (style != 'sunglasses')


def test_glasses_are_a_label_of_the_29_parts_alone():
    config = get_preset('quickstart', size=(48, 36), framings=(1, 0, 0), detail='coarse')
    plain = render_sample(0, 3, config)
    assert plain['label29'] is None
    found = render_sample(0, 3, dataclasses.replace(config, glasses=1.0))
    worn = found['label29'] == BODY_PART29_NAMES.index('Eyeglass')
    assert worn.any()
    assert (found['label'][worn] == BODY_PART_IDS['Face_Neck']).all()
    there = found['label29'] != BODY_PART29_NAMES.index('Eyeglass')
    same = [BODY_PART29_NAMES[i] for i in found['label29'][there]]
    assert same == [BODY_PART_NAMES[i] for i in found['label'][there]]
