# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Comparison pictures show what they say; the picture of the normals' convention is true."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from sapiens_depth_normal.hooks import DenseVisualizationHook
from sapiens_depth_normal.visualization import comparison, comparison_sheet, error_picture

GREY = (128, 128, 128)


def sample_of(**maps):
    sample = SegDataSample()
    for name, values in maps.items():
        sample.set_data({name: PixelData(data=torch.from_numpy(np.float32(values)))})
    return sample


def test_comparison():
    mask = np.zeros((40, 30))
    mask[5:30, 5:25] = 1
    truth = 2 + np.indices((40, 30))[0] / 20
    facing = np.stack([0 * truth, 0 * truth, 0 * truth + 1])
    tilted = np.stack([0 * truth + 1, 0 * truth, 0 * truth])
    sample = sample_of(
        gt_mask=mask[None],
        gt_depth_map=truth[None],
        pred_depth_map=(truth[None] - 2) / 5,  # right up to scale and shift
        gt_normal_map=facing,
        pred_normal_map=tilted,  # 90 degrees off
    )
    pictures = dict(comparison(np.zeros((40, 30, 3), np.uint8), sample, 'm'))
    assert list(pictures)[:3] == ['photo', 'depth, true', 'depth, predicted']
    for title, picture in list(pictures.items())[1:]:
        assert (picture[mask == 0] == GREY).all(), title
    near, far = (pictures['depth, true'][row, 15].astype(int).sum() for row in (5, 29))
    assert near > far  # near bright
    np.testing.assert_array_equal(pictures['depth, true'], pictures['depth, predicted'])
    none, worst = (
        error_picture(np.full((1, 1), value), np.ones((1, 1), bool), 1.0)[0, 0] for value in (0, 2)
    )
    assert none[2] < 100 < worst[2]  # BGR: dark blue against red
    depth_error = next(v for k, v in pictures.items() if k.startswith('error') and k.endswith('m'))
    np.testing.assert_array_equal(depth_error[15, 15], none)
    np.testing.assert_array_equal(pictures['error, 0 to 45 degrees'][15, 15], worst)
    np.testing.assert_array_equal(pictures['normals, true'][15, 15], (255, 128, 128))  # BGR of +Z
    np.testing.assert_array_equal(pictures['normals, predicted'][15, 15], (128, 128, 255))
    rows = comparison_sheet([list(pictures.items())] * 2, height=60)
    assert rows.shape[0] > 120 and rows.shape[1] > 7 * 45
    assert len(comparison(np.zeros((40, 30, 3), np.uint8), sample_of(gt_mask=0 * mask[None]))) == 1


def test_comparison_of_points_albedo_and_mattes():
    mask = np.zeros((1, 40, 30))
    mask[:, 5:30, 5:25] = 1
    depth = mask * (2 + np.indices((40, 30))[0] / 20)
    red = np.stack([mask[0], 0 * mask[0], 0 * mask[0]])
    sample = sample_of(
        gt_mask=mask,
        gt_depth_map=depth,
        pred_point_map=np.concatenate([depth, depth, depth + 0.1]),
        gt_albedo_map=red,
        pred_albedo_map=0.5 * red,
        gt_alpha_map=mask,
        pred_alpha_map=1 - mask,
    )
    pictures = dict(comparison(np.zeros((40, 30, 3), np.uint8), sample))
    assert (pictures['albedo, true'][10, 10] == (0, 0, 255)).all()  # BGR
    assert (pictures['albedo, predicted'][10, 10] == (0, 0, 128)).all()
    assert (pictures['albedo, predicted'][0, 0] == GREY).all()
    assert pictures['alpha, true'][10, 10].sum() == pictures['alpha, predicted'][0, 0].sum() == 765
    errors = [picture for title, picture in pictures.items() if title.startswith('error')]
    assert len(pictures) == 10 and len(errors) == 3
    blue, worst = error_picture(np.array([[0.0, 1.0]]), np.ones((1, 2), bool), 1.0)[0]
    assert (errors[2] == worst).all()
    assert not (errors[0][10, 10] == blue).all() and (errors[0][0, 0] == GREY).all()


def test_diverged_predictions_and_tiny_masks_do_not_stop_a_run():
    maps = dict(
        gt_depth_map=np.full((1, 8, 6), 2.0),
        pred_depth_map=np.full((1, 8, 6), np.nan),
        gt_normal_map=np.ones((3, 8, 6)),
        pred_normal_map=np.full((3, 8, 6), np.inf),
    )
    photo, mask = np.zeros((8, 6, 3), np.uint8), np.zeros((1, 8, 6))
    mask[0, 3, 3] = 1
    assert len(comparison(photo, sample_of(gt_mask=mask, **maps))) == 1
    assert len(comparison(photo, sample_of(gt_mask=mask + 1, **maps))) == 7


class Model(torch.nn.Module):
    """Predicts a ramp of the size that it is asked for."""

    def val_step(self, data):
        for sample in data['data_samples']:
            ramp = torch.linspace(0, 1, sample.ori_shape[0])[None, :, None]
            sample.pred_depth_map = PixelData(data=ramp.expand(1, *sample.ori_shape).clone())
        return data['data_samples']


@pytest.mark.parametrize('labels', [(64, 48), (32, 24)])
def test_labels_may_be_smaller_than_the_input(tmp_path, labels):
    sample = SegDataSample(metainfo={'ori_shape': (500, 400)})
    sample.gt_mask = PixelData(data=torch.ones(1, *labels))
    sample.gt_depth_map = PixelData(data=torch.rand(1, *labels))
    runner = SimpleNamespace(model=Model(), iter=0, work_dir=tmp_path)
    batch = {'inputs': [torch.zeros(3, 64, 48, dtype=torch.uint8)], 'data_samples': [sample]}
    DenseVisualizationHook(interval=1).after_train_iter(runner, 0, batch)
    assert cv2.imread(str(tmp_path / 'vis_data/train_1.jpg')) is not None
    assert sample.ori_shape == (500, 400)  # the batch stays as it was
    assert runner.model.training


def test_picture_of_the_convention(root):
    """The left sphere of docs/images/normals_sphere.png has X right, Y up, Z to the camera."""
    picture = cv2.imread(str(root / 'docs/images/normals_sphere.png'))[..., ::-1]
    height = picture.shape[0]
    middle, radius = (180, height - 180), 150  # x, y; a 360-pixel square below the title
    for dx, dy in ((0.6, -0.5), (-0.6, 0.5), (-0.5, -0.7), (0.5, 0.7), (0.9, 0.1)):
        color = picture[round(middle[1] + dy * radius), round(middle[0] + dx * radius)]
        expected = np.array([dx, -dy, np.sqrt(1 - dx**2 - dy**2)])
        np.testing.assert_allclose(color / 127.5 - 1, expected, atol=0.03)
