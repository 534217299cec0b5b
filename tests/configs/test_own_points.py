# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The way to own points of docs/pose.md, from leaves with other points, of both generations."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, METRICS, MODELS, DefaultScope

from sapiens_pose.engine.keypoint_check_hook import check_keypoints
from sapiens_train.fit import check_fit, check_save_best

OWN = """
_base_ = ['{leaf}']
points = [f'point_{{i}}' for i in range(6)]
metainfo = dict(
    dataset_name='mine',
    keypoint_info={{
        i: dict(name=name, id=i, color=[0, 0, 255], type='upper', swap='')
        for i, name in enumerate(points)
    }},
    skeleton_info={{}},
    joint_weights=[1.0] * 6,
    sigmas=[0.05] * 6)
mine = dict(type='sapiens_pose.CheckedCocoDataset', data_root='data/mine', metainfo=metainfo)
train_dataloader = dict(dataset=dict(ann_file='train.json', **mine))
val_dataloader = dict(dataset=dict(ann_file='val.json', bbox_file=None, **mine))
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(_delete_=True, type='sapiens_pose.CompletedCocoMetric')
default_hooks = dict(checkpoint=dict(save_best='coco/AP'))
model = dict(head=dict(out_channels=6))
"""


@pytest.mark.parametrize(
    'leaf',
    [
        'sapiens2_0.4b_goliath',
        'sapiens_tiny_coco_wholebody',
        'cspnext_tiny_synthetic',
        'sapiens_1b_goliath',
    ],
)
def test_own_points_from_any_leaf(root, tmp_path, leaf):
    (tmp_path / 'mine.py').write_text(OWN.format(leaf=root / f'configs/pose/{leaf}.py'))
    config = Config.fromfile(tmp_path / 'mine.py')
    with torch.device('meta'), DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(config.model)
        metric = METRICS.build(config.val_evaluator)
        dataset = DATASETS.build({**config.train_dataloader.dataset, 'lazy_init': True})
    check_fit(model, config)
    check_save_best(config.default_hooks.checkpoint.save_best, [metric])
    assert check_keypoints(model, dataset, 'train') == 6


def test_without_another_data_set_the_message_names_it(root):
    config = Config.fromfile(root / 'configs/pose/sapiens_tiny_goliath.py').train_dataloader.dataset
    metainfo = Config.fromfile(root / 'configs/pose/sapiens_tiny_coco.py').get('metainfo')
    metainfo = metainfo or dict(from_file='configs/_base_/datasets/coco.py')
    with (
        DefaultScope.overwrite_default_scope('mmpose'),
        pytest.raises(
            ValueError, match="the metainfo has 17; for .*type='sapiens_pose.CheckedCocoD"
        ),
    ):
        DATASETS.build({**config, 'metainfo': metainfo, 'lazy_init': True})
