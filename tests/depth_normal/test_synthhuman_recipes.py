# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Recipes on SynthHuman: built at their real size, and trained for some steps on its real pictures."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, METRICS, MODELS

from sapiens_depth_normal.transforms import MattingTarget

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


def shrink(config):
    """The same recipe with a thin encoder of two layers, a thin head and small pictures."""
    backbone = dict(config.model.backbone, with_cp=False)
    backbone.pop('init_cfg', None)
    backbone['arch'] = dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96)
    if 'Sapiens2ViT' in backbone['type']:
        backbone['arch']['num_tokenizer_layers'] = 1
    if 'VisionTransformer' in backbone['type']:
        backbone.pop('with_cp')
    patch = backbone.get('patch_size', 16)
    size = backbone['img_size'] = (4 * patch, 3 * patch)
    head = dict(config.model.decode_head, in_channels=48)
    for name in ('deconv_out_channels', 'conv_out_channels', 'upsample_out_channels'):
        if name in head:
            head[name] = (8,) * len(head[name])
    if 'grid_size' in head:
        head.update(grid_size=(4, 3), scale_conv_out_channels=(8,), scale_linear_out_channels=(8,))
    config.model.update(backbone=backbone, decode_head=head)
    config.model.data_preprocessor.size = size
    for loader in SPLITS:
        for step in config[loader].dataset.pipeline:
            if 'size' in step:
                step.size = size
    return config


@pytest.fixture
def folder(root, tmp_path):
    """The real samples, with camera files: these two came without."""
    for path in (root / 'tests/data/synthhuman').iterdir():
        (tmp_path / path.name).symlink_to(path)
    for number in ('0000428', '0002192'):
        (tmp_path / f'cam_{number}.txt').write_text('1100 0 191.5\n0 1100 255.5\n0 0 1\n')
    return str(tmp_path)


def train(config, folder):
    """The model after four steps on the two samples, and its losses."""
    torch.manual_seed(0)
    np.random.seed(0)
    model = MODELS.build(config.model)
    data = DATASETS.build(dict(config.train_dataloader.dataset, data_root=folder))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    batch = model.data_preprocessor(pseudo_collate([data[0], data[1]]), training=True)
    values = []
    for _ in range(4):
        losses = model(**batch, mode='loss')
        total = sum(value for name, value in losses.items() if 'loss' in name)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        values.append(total.item())
    return model, values


ENCODERS = [leaf for leaf in LEAVES if not leaf.endswith('1024x768') and 'tiny' not in leaf]


@pytest.mark.slow
@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('leaf', ENCODERS)
def test_learns_from_real_samples_and_is_judged(root, folder, task, leaf):
    config = shrink(Config.fromfile(root / f'configs/{task}/{leaf}.py'))
    model, values = train(config, folder)
    assert np.isfinite(values).all() and min(values[1:]) < values[0]
    # The two samples are not among those held out by their ids.
    judged = DATASETS.build(dict(config.test_dataloader.dataset, data_root=folder, split=None))
    model.eval()
    with torch.no_grad():
        found = model.test_step(pseudo_collate([judged[0], judged[1]]))
    figures = {}
    settings = config.test_evaluator
    for one in settings if isinstance(settings, list) else [settings]:
        metric = METRICS.build(one)
        metric.process({}, [sample.to_dict() for sample in found])
        figures.update(metric.evaluate(2))
    assert np.isfinite(figures[config.default_hooks.checkpoint.save_best])


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


@pytest.mark.slow
@pytest.mark.parametrize('leaf', ['sapiens_tiny_synthhuman', 'sapiens2_0.4b_synthhuman'])
def test_three_tasks_from_one_pass(root, folder, leaf):
    config = Config.fromfile(root / f'configs/multitask/{leaf}.py')
    size = (64, 48)
    arch = dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96)
    if config.model.backbone.type == 'sapiens_pretrain.Sapiens2ViT':
        arch['num_tokenizer_layers'] = 1
    config.model.backbone.update(arch=arch, img_size=size)
    config.model.data_preprocessor.size = size
    for task in config.model.tasks.values():
        for name, value in task.decode_head.items():
            if name.endswith('out_channels'):
                task.decode_head[name] = (8,) * len(value)
        task.decode_head.in_channels = 48
    for loader in SPLITS:
        for step in config[loader].dataset.pipeline:
            if 'size' in step:
                step.size = size
    model, values = train(config, folder)
    assert np.isfinite(values).all() and min(values[1:]) < values[0]
    judged = DATASETS.build(dict(config.test_dataloader.dataset, data_root=folder, split=None))
    model.eval()
    with torch.no_grad():
        found = model.test_step(pseudo_collate([judged[0], judged[1]]))
    for settings, key in zip(
        config.test_evaluator,
        ('depth/aligned_rmse', 'normal/mean', 'matting/whole_sad'),
        strict=True,
    ):
        metric = METRICS.build(settings)
        metric.process({}, [sample.to_dict() for sample in found])
        assert np.isfinite(metric.evaluate(2)[key])


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
