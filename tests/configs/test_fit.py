# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A size card that is swapped in a recipe, and parts of different sizes, are refused."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import METRICS, MODELS, DefaultScope
from mmpose.evaluation.metrics import CocoMetric
from mmseg.evaluation import IoUMetric

from sapiens_depth_normal.evaluation import HumanDepthMetric, HumanNormalMetric
from sapiens_multitask.part_metric import BodyPartIoUMetric
from sapiens_pose.engine import KeypointCheckHook
from sapiens_pose.evaluation import Humans5KMetric
from sapiens_train.fit import check_fit, check_save_best


def check(config):
    with torch.device('meta'), DefaultScope.overwrite_default_scope(config.default_scope):
        model = MODELS.build(config.model)
    check_fit(model, config)


@pytest.mark.parametrize(
    'leaf', ['pose/sapiens_1b_coco', 'seg/sapiens_1b_lip', 'depth/sapiens_1b_folder']
)
def test_a_swapped_size_card_is_refused(root, tmp_path, leaf):
    task = leaf.split('/')[0]
    text = (root / f'configs/{leaf}.py').read_text()
    check(Config.fromfile(root / f'configs/{leaf}.py'))
    swapped = text.replace('sapiens_1b.py', 'sapiens_tiny.py')
    assert swapped != text
    swapped = swapped.replace("'../_base_/", f"'{root}/configs/_base_/")
    swapped = swapped.replace("'_base_/", f"'{root}/configs/{task}/_base_/")
    (tmp_path / 'swapped.py').write_text(swapped)
    message = r'makes images of 1024 x 768, the encoder is built for 256 x 192'
    with pytest.raises(ValueError, match=message):
        check(Config.fromfile(tmp_path / 'swapped.py'))


def test_a_head_of_another_size_is_refused(root):
    config = Config.fromfile(root / 'configs/pose/sapiens_tiny_coco.py')
    config.model.head.in_channels = 1536
    with pytest.raises(ValueError, match='in_channels is 1536, the encoder gives 192 channels'):
        check(config)


def test_a_decoder_of_another_heatmap_is_refused(root):
    config = Config.fromfile(root / 'configs/pose/sapiens_tiny_coco.py')
    config.model.head.decoder.heatmap_size = (24, 32)
    message = 'makes heatmaps of 64 x 48, its decoder.heatmap_size is 32 x 24'
    with pytest.raises(ValueError, match=message):
        check(config)


@pytest.mark.parametrize(
    ('wanted', 'good'),
    [
        ('coco/AP', True),
        ('auto', True),
        (None, True),
        (['coco/AR', 'mIoU'], True),
        ('goliath/face_AP', True),
        ('goliath/AP50', True),
        ('goliath/nose_AP', False),
        ('goliath/face_AP/AP', False),
        ('normal/mean', True),
        ('normal/full_body/median', True),
        ('normal/aligned_rmse', False),
        ('normal/means', False),
        ('depth/aligned_rmse', True),
        ('depth/rmse', False),
        ('parts/mIoU', True),
        ('parts/mIou', False),
        ('coco/AQ', False),
        ('AP', False),
        ('goliat/AP', False),
        (['coco/AP', 'mIou'], False),
    ],
)
def test_the_figure_of_the_best_checkpoint_must_be_there(wanted, good):
    metrics = [CocoMetric(), IoUMetric(), Humans5KMetric()]
    metrics += [HumanNormalMetric(), HumanDepthMetric(), BodyPartIoUMetric()]
    if good:
        check_save_best(wanted, metrics)
        return
    with pytest.raises(
        ValueError, match='no metric of val_evaluator has it; there are CocoMetric with'
    ):
        check_save_best(wanted, metrics)


def test_the_best_checkpoint_of_every_recipe_is_chosen_by_a_figure_it_has(root):
    recipes = {}
    for path in sorted((root / 'configs').glob('[a-z]*/*.py')):
        config = Config.fromfile(path)
        wanted = config.default_hooks.checkpoint.get('save_best')
        if wanted:
            recipes[f'{path.parent.name} {wanted}'] = config
    assert {name.split()[0] for name in recipes} >= {'det', 'matting', 'pointmap', 'seg', 'pose'}
    for config in recipes.values():
        with DefaultScope.overwrite_default_scope(config.default_scope):
            evaluators = config.val_evaluator
            evaluators = [evaluators] if isinstance(evaluators, dict) else evaluators
            settings = [{k: v for k, v in one.items() if k != 'ann_file'} for one in evaluators]
            metrics = [METRICS.build(one) for one in settings]
        check_save_best(config.default_hooks.checkpoint.save_best, metrics)


def test_keypoints_of_data_head_and_metric_must_agree():
    model = SimpleNamespace(head=SimpleNamespace(out_channels=308))
    data = SimpleNamespace(metainfo={'num_keypoints': 308})
    loop = SimpleNamespace(
        dataloader=SimpleNamespace(dataset=data),
        evaluator=SimpleNamespace(metrics=[Humans5KMetric()]),
    )
    runner = SimpleNamespace(
        model=model, val_loop=loop, test_loop=loop, train_dataloader=SimpleNamespace(dataset=data)
    )
    hook = KeypointCheckHook()
    hook.before_train(runner)
    hook.before_test(runner)
    loop.evaluator.metrics = [CocoMetric()]
    for check_run in (hook.before_train, hook.before_test):
        with pytest.raises(ValueError, match='CocoMetric cannot evaluate 308 keypoints; use'):
            check_run(runner)
    model.head.out_channels = 17
    with pytest.raises(
        ValueError, match='train_dataloader has 308 keypoints, the head out_channels=17'
    ):
        hook.before_train(runner)
