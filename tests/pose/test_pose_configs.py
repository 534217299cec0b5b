# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the pose recipes say, against the published hyper-parameters."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope

from sapiens_common.checkpoint import read_checkpoint
from sapiens_common.weights import find_weights

SIZES = ('0.3b', '0.6b', '1b', '2b')
NUM_KEYPOINTS = {'coco': 17, 'coco_wholebody': 133, 'goliath': 308}
LEARNING_RATE = {'coco': 5e-4, 'coco_wholebody': 5e-4, 'goliath': 5e-5}
LAYER_DECAY = {
    'coco': (0.85, 0.85, 0.85, 0.85),
    'coco_wholebody': (0.75, 0.75, 0.85, 0.85),
    'goliath': (0.85, 0.85, 0.95, 0.85),
}
OHKM = {('0.3b', 'goliath'), ('1b', 'goliath')}
LAYERS = dict(zip(SIZES, (24, 32, 40, 48), strict=True))
SAVE_BEST = {'coco': 'coco/AP', 'coco_wholebody': 'coco-wholebody/AP', 'goliath': 'goliath/AP'}

recipes = pytest.mark.parametrize(
    'size, data', [(size, data) for data in NUM_KEYPOINTS for size in SIZES]
)


def load(root, size, data):
    init_default_scope('mmpose')
    return Config.fromfile(root / f'configs/pose/sapiens_{size}_{data}.py')


def build_on_meta(config):
    with torch.device('meta'):
        return MODELS.build(config.model)


@recipes
def test_published_hyper_parameters(root, size, data):
    config = load(root, size, data)
    optimizer = config.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == (
        'AdamW',
        LEARNING_RATE[data],
        0.1,
    )
    assert tuple(optimizer.betas) == (0.9, 0.999)
    assert config.optim_wrapper.clip_grad == {'max_norm': 1.0, 'norm_type': 2}
    decay = LAYER_DECAY[data][SIZES.index(size)]
    assert config.optim_wrapper.paramwise_cfg == {'layer_decay_rate': decay}
    head, backbone = config.model.head, config.model.backbone
    assert head.out_channels == NUM_KEYPOINTS[data]
    assert head.loss.use_target_weight
    if (size, data) in OHKM:
        assert (head.loss.type, head.loss.topk) == ('sapiens_pose.HardKeypointMSELoss', 128)
    else:
        assert head.loss.type == 'KeypointMSELoss'
    codec = head.decoder
    assert (codec.input_size, codec.heatmap_size, codec.sigma) == ((768, 1024), (192, 256), 6)
    assert (tuple(backbone.img_size), backbone.patch_padding) == ((1024, 768), 2)
    assert config.model.test_cfg == {
        'flip_test': True,
        'flip_mode': 'heatmap',
        'shift_heatmap': False,
    }
    assert (config.train_dataloader.batch_size, config.val_dataloader.batch_size) == (64, 32)
    assert config.train_cfg == {'by_epoch': True, 'max_epochs': 210, 'val_interval': 1}
    warm_up, steps = config.param_scheduler
    assert (warm_up.type, warm_up.end, warm_up.start_factor) == ('LinearLR', 500, 1e-3)
    assert (steps.type, steps.milestones, steps.gamma) == ('MultiStepLR', [170, 200], 0.1)
    checkpoint = config.default_hooks.checkpoint
    assert checkpoint.save_best == SAVE_BEST[data]
    assert checkpoint.interval == (1000 if data == 'goliath' else 10)
    assert not config.auto_scale_lr.get('enable')
    assert config.auto_scale_lr.base_batch_size == 512


@pytest.mark.parametrize('size', SIZES)
def test_keys_and_shapes_are_the_published_ones(root, size, checkpoint_keys):
    model = build_on_meta(load(root, size, 'goliath'))
    found = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert found == checkpoint_keys('pose_goliath', size)


@pytest.mark.parametrize('size, data', [('0.3b', 'coco_wholebody'), ('1b', 'goliath')])
def test_learning_rates_from_stem_to_head(root, size, data):
    config = load(root, size, data)
    groups = build_optim_wrapper(build_on_meta(config), config.optim_wrapper).optimizer.param_groups
    rate = LAYER_DECAY[data][SIZES.index(size)]
    by_name = {name: group for group in groups for name in group['param_names']}
    last, first = (
        by_name['head.final_layer.weight'],
        by_name['backbone.patch_embed.projection.weight'],
    )
    assert last['lr'] == pytest.approx(LEARNING_RATE[data])
    assert first['lr'] == pytest.approx(LEARNING_RATE[data] * rate ** (LAYERS[size] + 1))
    assert by_name['backbone.layers.0.attn.qkv.weight']['lr'] == pytest.approx(first['lr'] / rate)
    assert by_name['backbone.ln1.weight']['lr'] == pytest.approx(last['lr'])
    assert (last['weight_decay'], by_name['backbone.pos_embed']['weight_decay']) == (0.1, 0.0)


@pytest.mark.parametrize('leaf', ['sapiens_1b_goliath_frozen', 'sapiens_0.3b_coco_frozen'])
def test_frozen_encoder_trains_the_head_alone(root, leaf):
    init_default_scope('mmpose')
    model = build_on_meta(Config.fromfile(root / f'configs/pose/{leaf}.py')).train()
    learning = {name.split('.')[0] for name, p in model.named_parameters() if p.requires_grad}
    assert learning == {'head'}
    assert not model.backbone.layers[-1].training


def test_tiny_models_see_and_decode_one_size(root):
    for data in NUM_KEYPOINTS:
        config = load(root, 'tiny', data)
        size = tuple(config.model.head.decoder.input_size)
        assert size == (192, 256) == tuple(config.model.backbone.img_size)[::-1]
        for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
            steps = loader.dataset.pipeline
            assert [tuple(s.input_size) for s in steps if 'input_size' in s] == [size]
            assert all(s.codec == config.model.head.decoder for s in steps if 'codec' in s)


def test_one_option_moves_all_paths(root):
    from runs.launch import load_config

    for data in NUM_KEYPOINTS:
        path = str(root / f'configs/pose/sapiens_tiny_{data}.py')
        config = load_config(path, None, 'none', {'data_root': '/mine'})
        for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
            assert loader.dataset.data_root == '/mine'
            boxes = loader.dataset.get('bbox_file') or '/mine'
            assert boxes.startswith('/mine')


def test_a_quarter_of_the_tokens(root):
    """The recipe for CPUs changes every size alike, and takes weights of the published size."""
    init_default_scope('mmpose')
    models = {}
    for name in ('', '_512x384'):
        config = Config.fromfile(root / f'configs/pose/sapiens_0.3b_goliath{name}.py')
        config.model.backbone.arch = dict(
            embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=32
        )
        config.model.head.update(in_channels=32, deconv_out_channels=(8, 8), conv_out_channels=(8,))
        models[name] = MODELS.build(config.model).eval()
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        [size] = {
            tuple(step.input_size) for step in loader.dataset.pipeline if 'input_size' in step
        }
        assert size == (384, 512)
    model = models['_512x384']
    model.load_state_dict(models[''].state_dict(), strict=True)
    with torch.no_grad():
        heatmaps = model(torch.zeros(1, 3, 512, 384), None, mode='tensor')
    assert heatmaps.shape[2:] == (128, 96) == model.head.decoder.heatmap_size[::-1]


def test_the_quick_start_begins_with_the_bundled_encoder(root):
    init_default_scope('mmpose')
    model = MODELS.build(
        Config.fromfile(root / 'configs/pose/sapiens_tiny_synthetic_from_bundled.py').model
    )
    model.init_weights()
    stored = read_checkpoint(find_weights('sapiens_tiny/multitask_synthetic')).state_dict
    own = model.backbone.state_dict()
    assert {f'backbone.{name}' for name in own} == {n for n in stored if n.startswith('backbone.')}
    for name, value in own.items():
        if name != 'pos_embed':  # a smaller grid
            assert torch.equal(value, stored[f'backbone.{name}'].to(value.dtype)), name
    table = stored['backbone.pos_embed'].float()
    assert own['pos_embed'].shape == (1, 8 * 6, table.shape[2])
    torch.testing.assert_close(own['pos_embed'].mean(1), table.mean(1), atol=0.02, rtol=0)
