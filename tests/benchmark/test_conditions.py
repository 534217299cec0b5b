# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Figures by kind of person and change of picture: a finder that turns and shrinks with the picture keeps its score."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from benchmarks import conditions
from benchmarks.conditions import Photo

BOX = np.array([20.0, 30.0, 60.0, 130.0])


def points(shoulders, hips):
    """Points (17, 3) of which left and right shoulder, left and right hip are given and labelled."""
    found = np.zeros((17, 3))
    for index, place in zip((5, 6, 11, 12), (*shoulders, *hips), strict=True):
        found[index] = (*place, 2)
    return found


@pytest.mark.parametrize(
    ('shoulders', 'hips', 'kind'),
    [
        ([(60, 10), (40, 10)], [(55, 50), (45, 50)], 'upright, facing'),
        ([(40, 10), (60, 10)], [(45, 50), (55, 50)], 'upright, from behind'),
        ([(50, 10), (49, 10)], [(50, 50), (50, 50)], 'upright, from the side'),
        ([(20, 20), (10, 30)], [(50, 50), (45, 60)], 'leaning'),
        ([(60, 50), (40, 50)], [(55, 10), (45, 10)], 'lying, upside down, or seen from above'),
    ],
)
def test_kinds_by_the_trunk(shoulders, hips, kind):
    assert kind in conditions.kinds_of(points(shoulders, hips), BOX, np.zeros((0, 4)))


def test_kinds_by_boxes_and_labels():
    cut = points([(60, 10), (40, 10)], [(55, 50), (45, 50)])
    cut[11, 2] = 0
    found = conditions.kinds_of(cut, BOX / 2, np.array([BOX / 2 + 10]))
    assert found == [
        'shoulders or hips not in the picture',
        'smaller than 64 pixels',
        'overlapping another box',
    ]


def marked():
    """A dark photo with one bright pixel, which is all that its person's points label."""
    pixels = np.zeros((150, 90, 3), np.uint8)
    pixels[80, 41] = 255
    return Photo(pixels, BOX[None], np.tile([41.0, 80, 2], (1, 17, 1)))


@pytest.mark.parametrize('quarters', [1, 2, 3])
def test_points_and_boxes_turn_with_the_picture(quarters):
    turned = conditions.turn(marked(), quarters)
    x, y = turned.points[0, 0, :2].astype(int)
    assert turned.pixels[y, x, 0] == 255
    x1, y1, x2, y2 = turned.boxes[0]
    expected = marked().pixels[30:130, 20:60]
    np.testing.assert_array_equal(
        turned.pixels[int(y1) : int(y2), int(x1) : int(x2)], np.rot90(expected, quarters)
    )


def test_points_shrink_with_the_picture():
    small = conditions.shrink(marked(), 25)
    x, y = np.round(small.points[0, 0, :2]).astype(int)
    assert np.unravel_index(small.pixels[..., 0].argmax(), small.pixels.shape[:2]) == (y, x)
    assert (small.boxes[0, 2:] - small.boxes[0, :2]).max() == pytest.approx(25, abs=0.5)
    assert conditions.shrink(marked(), 1000).pixels.shape == (150, 90, 3)


class FindsMiddles:
    """Finds every point in the middle of the box, and is sure where it is bright."""

    needs_boxes = True

    def __call__(self, photos, boxes):
        found = np.array(boxes[0])
        keypoints = np.repeat((found[:, None, :2] + found[:, None, 2:]) / 2, 17, axis=1)
        scores = np.array(
            [[photos[0][int(y1) : int(y2), int(x1) : int(x2)].mean() > 0] * 17 for x1, y1, x2, y2 in found]
        )  # fmt: skip
        pose = SimpleNamespace(keypoints=keypoints, scores=scores.astype(float))
        return [SimpleNamespace(ok=True, by_task=lambda: {'pose': pose})]


def test_a_finder_that_moves_with_the_picture_keeps_its_score():
    photo = marked()
    pixels = np.zeros((150, 300, 3), np.uint8)
    pixels[:, :90] = photo.pixels
    photo = Photo(pixels, photo.boxes, photo.points)
    figures = conditions.measure(FindsMiddles(), [photo])
    assert list(figures['changes']) == list(conditions.CHANGES)
    for row in (*figures['changes'].values(), *figures['kinds'].values()):
        assert row['people'] == 1 and row['model'] == 1 and row['average_pose'] < 1
    assert figures['sure']['of people'] == {'boxes': 1, 'drawn': 1.0}
    assert figures['sure']['where nobody is'] == {'boxes': 1, 'drawn': 0.0}


def test_the_whole_command(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / 'a.png'), marked().pixels)
    annotation = {
        'id': 1, 'image_id': 7, 'bbox': [20, 30, 40, 100], 'keypoints': marked().points.ravel().tolist(),
    }  # fmt: skip
    data = {'images': [{'id': 7, 'file_name': 'a.png'}], 'annotations': [annotation]}
    (tmp_path / 'coco.json').write_text(json.dumps(data))
    arguments = ['sapiens_tiny/multitask_synthetic', '--annotations', str(tmp_path / 'coco.json')]
    arguments += ['--images', str(tmp_path), '--json', str(tmp_path / 'out.json')]
    assert conditions.main([*arguments, '--device', 'cpu']) == 0
    assert (
        json.loads((tmp_path / 'out.json').read_text())['changes'].keys()
        == conditions.CHANGES.keys()
    )
    assert 'upside down' in capsys.readouterr().out
