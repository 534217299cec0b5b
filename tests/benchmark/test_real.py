# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Figures on photographs: known errors give known shares; the tool runs on invented photos."""

import json

import cv2
import numpy as np
import pytest
import torch
from benchmarks import real
from benchmarks.photo_metrics import (
    JOINTS,
    MEAN_POSE,
    Overlap,
    Person,
    average,
    average_precision,
    mean_pose,
    pck,
    person_mask,
)
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

BOX = np.array([10.0, 20.0, 50.0, 120.0])  # longer side 100


def person(offset, labelled=17, box=BOX):
    truth = np.zeros((17, 3))
    truth[:, :2] = np.linspace(box[:2] + 5, box[2:] - 5, 17)
    truth[:labelled, 2] = 2
    predicted = truth + np.array([offset, 0, 0])
    predicted[:, 2] = 1
    return Person(box, truth, predicted)


def test_shares_of_known_errors():
    found = pck([person(4), person(9), person(15), person(25), person(0, labelled=4)])
    assert found['people'] == 4 and found['points'] == 68
    assert [found[f'pck@{t}'] for t in ('0.05', '0.1', '0.2')] == [0.25, 0.5, 0.75]
    assert found['joints']['nose'] == {'pck@0.05': 0.25, 'pck@0.1': 0.5, 'pck@0.2': 0.75}
    # Points without a label count nowhere.
    partly = person(4, labelled=10)
    partly.predicted[10:, 0] = 1e4
    found = pck([partly])
    assert found['pck@0.05'] == 1 and found['points'] == 10 and len(found['joints']) == 10
    with pytest.raises(ValueError, match='no person has 5 or more labelled points'):
        pck([person(0, labelled=4)])


def test_the_average_pose_goes_into_the_box():
    placed = mean_pose(BOX)
    np.testing.assert_allclose(placed[:, :2], [10, 20] + MEAN_POSE * [40, 100])
    people = [Person(BOX, np.column_stack([placed[:, :2], np.full(17, 2)]), placed)]
    np.testing.assert_allclose(average(people), MEAN_POSE)
    # Upright: nose over hips over ankles, and sides about alike.
    assert MEAN_POSE[0, 1] < MEAN_POSE[11, 1] < MEAN_POSE[15, 1]
    assert len(JOINTS) == len(MEAN_POSE) == 17


def test_average_precision_by_coco():
    assert average_precision([person(0), person(0, box=BOX + 200)]) == pytest.approx(1.0)
    assert average_precision([person(80)]) == pytest.approx(0.0)


def test_masks_of_both_kinds_and_their_overlap():
    polygon = {'segmentation': [[2, 2, 7, 2, 7, 9, 2, 9]]}
    mask = person_mask(polygon, 20, 30)
    assert mask.sum() == 6 * 8
    runs = {'segmentation': {'size': [4, 3], 'counts': [4, 4, 4]}}
    np.testing.assert_array_equal(person_mask(runs, 4, 3), [[False, True, False]] * 4)
    assert person_mask({}, 4, 3) is None
    overlap = Overlap()
    truth = np.zeros((10, 10), bool)
    truth[:, :5] = True
    predicted = np.zeros((10, 10), bool)
    predicted[:5] = True
    overlap.add(predicted, truth, np.ones((10, 10), bool))
    assert overlap.iou == pytest.approx(25 / 75)


def test_points_of_coco_out_of_308():
    points = np.arange(308.0)[None, :, None].repeat(2, -1)
    found = real.to_coco(points, np.ones((1, 308)))
    assert found.shape == (1, 17, 3)
    assert found[0, :, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 62, 41, 9, 10, 11, 12, 13, 14]
    with pytest.raises(ValueError, match='predicts 21 keypoints'):
        real.to_coco(points[:, :21], np.ones((1, 21)))


@pytest.mark.parametrize('arguments', [['m'], ['m', '--annotations', 'a.json']])
def test_something_to_measure_on_is_needed(arguments, capsys):
    with pytest.raises(SystemExit):
        real.parse_args(arguments)
    assert 'give --annotations with --images, or --synthhuman' in capsys.readouterr().err


@pytest.fixture
def random_model(root, tmp_path):
    """`random_model(config)`: paths of a shipped config and of random weights for it."""

    def make(name):
        path = root / f'configs/{name}.py'
        config = Config.fromfile(path)
        with DefaultScope.overwrite_default_scope(config.default_scope):
            model = MODELS.build(config.model)
        torch.save({'state_dict': model.state_dict()}, tmp_path / 'm.pth')
        return [str(path), str(tmp_path / 'm.pth'), '--device', 'cpu']

    return make


def test_maps_of_several_tasks_on_real_samples(root, tmp_path, random_model, capsys):
    folder = tmp_path / 'synthhuman'
    folder.mkdir()
    for path in (root / 'tests/data/synthhuman').glob('*_0002192.*'):
        (folder / path.name).symlink_to(path)
    arguments = random_model('multitask/sapiens_tiny_maps_synthetic')
    arguments += ['--synthhuman', str(folder), '--json', str(tmp_path / 'out.json')]
    assert real.main(arguments) == 0
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / 'out.json').read_text())['synthhuman']
    assert list(found) == ['depth', 'normal', 'matting']
    assert 'depth RMSE' in printed and 'normals, median' in printed and 'alpha MSE' in printed
    alpha = cv2.imread(str(folder / 'alpha_0002192.png'), cv2.IMREAD_GRAYSCALE) / 255
    trivial = found['matting']['matting/mean_alpha/whole_mse']
    assert trivial == pytest.approx(alpha.var(), rel=1e-5)
    assert 0 < found['matting']['matting/whole_mse'] < 1


def test_maps_of_one_task(root, random_model, capsys):
    folder = str(root / 'tests/data/synthhuman')
    assert real.main([*random_model('normal/sapiens_tiny_synthetic'), '--synthhuman', folder]) == 0
    printed = capsys.readouterr().out
    assert 'normals, mean' in printed and 'depth RMSE' not in printed and 'alpha' not in printed
    with pytest.raises(ValueError, match='predicts pose; --synthhuman has depth, normals and mat'):
        real.main([*random_model('pose/sapiens_tiny_synthetic'), '--synthhuman', folder])


def test_the_whole_tool(root, tmp_path, random_model):
    cv2.imwrite(str(tmp_path / 'a.jpg'), np.full((150, 80, 3), 90, np.uint8))
    annotation = {
        'id': 1, 'image_id': 7, 'category_id': 1, 'iscrowd': 0, 'bbox': [10, 20, 40, 100], 'area': 2000,
        'num_keypoints': 17, 'keypoints': person(0).points.ravel().tolist(),
        'segmentation': [[15, 25, 45, 25, 45, 110, 15, 110]],
    }  # fmt: skip
    image = {'id': 7, 'file_name': 'a.jpg', 'height': 150, 'width': 80}
    data = {'images': [image], 'annotations': [annotation]}
    (tmp_path / 'coco.json').write_text(json.dumps(data))
    arguments = random_model('multitask/sapiens_tiny_synthetic')
    arguments += ['--annotations', str(tmp_path / 'coco.json'), '--images', str(tmp_path)]
    arguments += ['--json', str(tmp_path / 'out.json')]
    assert real.main(arguments) == 0
    found = json.loads((tmp_path / 'out.json').read_text())
    assert {'pck@0.05', 'pck@0.1', 'pck@0.2', 'ap', 'joints', 'average_pose', 'foreground'} <= set(
        found
    )
    assert found['people'] == 1 and found['points'] == 17
    assert found['foreground']['filled_boxes_iou'] == pytest.approx(31 * 86 / (40 * 100), abs=0.01)
