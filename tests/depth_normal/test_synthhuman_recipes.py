# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Recipes on SynthHuman: built at their real size, and trained for some steps on its real pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from short_training import heads_without_gradient, train

from sapiens_depth_normal.transforms import MattingTarget

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'

TASKS = {'depth': 1, 'normal': 3, 'matting': 4, 'pointmap': 3}  # and the channels of their maps
LEAVES = {
    'sapiens_tiny_synthhuman': (256, 192),
    'sapiens_0.3b_synthhuman': (512, 384),
    'sapiens_0.3b_synthhuman_1024x768': (1024, 768),
    'sapiens2_0.4b_synthhuman': (512, 384),
    'sapiens2_0.4b_synthhuman_1024x768': (1024, 768),
    'mae_vit_b_synthhuman': (512, 384),
    'dinov2_vit_b_synthhuman': (518, 392),
}
SPLITS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@pytest.fixture(params=[(task, leaf) for task in TASKS for leaf in LEAVES], ids='-'.join)
def recipe(request, root):
    task, leaf = request.param
    return task, LEAVES[leaf], Config.fromfile(root / f'configs/{task}/{leaf}.py')


def test_one_size_everywhere(recipe):
    _, size, config = recipe
    assert config.model.backbone.img_size == config.model.data_preprocessor.size == size
    for loader in SPLITS:
        data = config[loader].dataset
        assert [step.size for step in data.pipeline if 'size' in step] == [size]
        assert data.type == 'sapiens_depth_normal.SynthHumanDataset'
        assert data.split == ('train' if loader == 'train_dataloader' else 'val')
        assert data.data_root == 'data/synthhuman' and not data.get('ann_file')


def test_built_at_its_real_size(recipe):
    task, size, config = recipe
    config.model.backbone.pop('init_cfg', None)
    with torch.device('meta'), torch.no_grad():
        model = MODELS.build(config.model).eval()
        maps = model(torch.zeros(1, 3, *size), mode='tensor')
    maps = maps[0] if isinstance(maps, tuple) else maps  # points come with a scale
    # Every recipe predicts at half of its input at least.
    assert min(np.divide(maps.shape[2:], size)) >= 0.5
    assert maps.shape[1] == TASKS[task]


TRAINED = sorted(
    path.relative_to(CONFIGS).with_suffix('').as_posix()
    for path in CONFIGS.rglob('*_synthhuman*.py')
    if not {'_base_', 'baselines'} & set(path.parts)  # test_baselines.py has the latter
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Crops of the real samples under ids of both splits, with camera files: the real ones came without."""
    OpenEXR = pytest.importorskip('OpenEXR', reason='SynthHuman has exr files')
    source, target = CONFIGS.parent / 'tests/data/synthhuman', tmp_path_factory.mktemp('synthhuman')
    window = np.s_[60:188, 150:246]  # hair, face and background
    header = dict(compression=OpenEXR.ZIP_COMPRESSION, type=OpenEXR.scanlineimage)
    for number, names in {
        '0000428': ('0000001', '0000100'),
        '0002192': ('0000002', '0000200'),
    }.items():
        for name in names:
            for kind in ('rgb', 'alpha'):
                picture = cv2.imread(str(source / f'{kind}_{number}.png'), cv2.IMREAD_UNCHANGED)
                cv2.imwrite(str(target / f'{kind}_{name}.png'), picture[window])
            for kind in ('depth', 'normal'):
                with OpenEXR.File(
                    str(source / f'{kind}_{number}.exr'), separate_channels=True
                ) as file:
                    planes = {
                        k: channel.pixels[window].copy() for k, channel in file.channels().items()
                    }
                OpenEXR.File(header, planes).write(str(target / f'{kind}_{name}.exr'))
            (target / f'cam_{name}.txt').write_text('1100 0 41.5\n0 1100 195.5\n0 0 1\n')
    return str(target)


@pytest.mark.slow
@pytest.mark.parametrize('name', TRAINED)
def test_trains_some_steps_and_is_judged(folder, tmp_path, name):
    size = (56, 42) if 'dinov2' in name else (64, 48)
    options = {
        'data_root': folder,
        'size': size,
        'epochs': 3,
        'param_scheduler': [],
        'train_cfg.val_interval': 3,
        'default_hooks.checkpoint.interval': 3,
    }
    runner = train(CONFIGS / f'{name}.py', tmp_path, size, options)
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert len(losses) == 3 and np.isfinite(losses).all()
    assert not heads_without_gradient(runner)
    best = runner.cfg.default_hooks.checkpoint.save_best
    assert np.isfinite(runner.message_hub.get_scalar(f'val/{best}').current())


@pytest.mark.parametrize('leaf', LEAVES)
def test_the_joint_model_has_one_size_and_is_built_at_it(root, leaf):
    config, size = Config.fromfile(root / f'configs/multitask/{leaf}.py'), LEAVES[leaf]
    assert config.model.backbone.img_size == config.model.data_preprocessor.size == size
    for loader in SPLITS:
        pipeline = config[loader].dataset.pipeline
        assert [step.size for step in pipeline if 'size' in step] == [size]
    config.model.backbone.pop('init_cfg', None)
    with torch.device('meta'), torch.no_grad():
        model = MODELS.build(config.model).eval()
        maps = model(torch.zeros(1, 3, *size), mode='tensor')
    assert {task: found.shape[1] for task, found in maps.items()} == {
        task: TASKS[task] for task in ('depth', 'normal', 'matting')
    }


def test_the_mask_of_a_person_stays_for_depth_and_normals():
    alpha = np.array([[0, 0.5, 1]], np.float32)
    sample = dict(
        img=np.full((1, 3, 3), 102, np.uint8),
        gt_alpha_map=alpha,
        mask=np.array([[0, 0, 1]], np.uint8),
    )
    kept = MattingTarget()(dict(sample))
    assert kept['mask'].tolist() == [[0, 0, 1]]
    np.testing.assert_allclose(kept['gt_matting_map'][0, :, 0], [0, 0.2, 0.4], rtol=1e-6)
