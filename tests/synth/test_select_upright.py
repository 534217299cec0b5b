# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Choosing upright people for an easier start."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

TOOL = runpy.run_path(str(Path(__file__).resolve().parents[2] / 'tools/data/select_upright.py'))
is_upright, main = TOOL['is_upright'], TOOL['main']


def person(angle=0.0, mirrored=False, size=100, flag=2):
    """A person turned by an angle in degrees; the left side is on the image's right unless mirrored."""
    points = np.zeros((17, 2))
    points[[5, 6, 11, 12]] = [[10, 0], [-10, 0], [7, 40], [-7, 40]]
    points[0] = 0, -15
    turn = np.radians(angle)
    points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    points *= [-1 if mirrored else 1, 1]
    keypoints = np.column_stack([points + 50, np.full(17, flag)])
    return {'keypoints': keypoints.ravel().tolist(), 'bbox': [0, 0, size / 2, size]}


@pytest.mark.parametrize(('angle', 'kept'), [(0, True), (30, True), (-30, True), (40, False), (180, False)])  # fmt: skip
def test_lean(angle, kept):
    assert is_upright(person(angle), 35, False, 40) == kept


def test_facing_size_and_labels():
    assert is_upright(person(), 35, True, 40)
    assert is_upright(person(mirrored=True), 35, False, 40)
    assert not is_upright(person(mirrored=True), 35, True, 40)  # seen from behind
    assert not is_upright(person(flag=1), 35, True, 40)  # nothing of it is seen
    assert not is_upright(person(size=40), 35, False, 40)
    assert not is_upright(person(flag=0), 35, False, 40)


def test_the_command(tmp_path, capsys):
    data = {'images': [{'id': 1}], 'annotations': [person(), person(90)], 'categories': []}
    (tmp_path / 'all.json').write_text(json.dumps(data))
    main([str(tmp_path / 'all.json'), str(tmp_path / 'some.json')])
    assert '1 of 2 people' in capsys.readouterr().out
    kept = json.loads((tmp_path / 'some.json').read_text())
    assert kept['annotations'] == data['annotations'][:1] and kept['images'] == data['images']
    with pytest.raises(ValueError, match='none of 2 people is upright'):
        main([str(tmp_path / 'all.json'), str(tmp_path / 'none.json'), '--smallest', '1000'])
