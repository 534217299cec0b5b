# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every recipe: it builds, its parts agree, and its numbers are the published ones."""

from functools import partial
from pathlib import Path

import mmcv
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, PARAM_SCHEDULERS, DefaultScope
from mmengine.structures import PixelData
from mmseg.registry import METRICS, MODELS
from mmseg.structures import SegDataSample

from sapiens_seg.vocabularies import resolve_vocabulary

SIZES = ('tiny', '0.3b', '0.6b', '1b', '2b')
RECIPES = [f'sapiens_{size}_{data}' for size in SIZES for data in ('goliath', 'lip', 'cihp')]
RECIPES += ['sapiens_1b_face', 'sapiens_1b_foreground']
ENCODERS = {'0.3b': 1024, '0.6b': 1280, '1b': 1536, '2b': 1920, 'tiny': 192}


def load(root, name):
    return Config.fromfile(root / f'configs/seg/{name}.py')


def step(pipeline, name):
    return next(one for one in pipeline if one.type.split('.')[-1] == name)


def check_tta_sizes(config, model):
    """Every scale of the augmented test is made of whole patches; the middle one is the model's own."""
    largest = step(config.tta_pipeline, 'Resize').scale  # (w, h)
    scales = step(config.tta_pipeline, 'TestTimeAug').transforms[0]
    sizes = [mmcv.rescale_size(largest, scale['scale_factor']) for scale in scales]
    assert sizes[1] == model.backbone.img_size[::-1]
    assert all(side % 16 == 0 for size in sizes for side in size)


def test_all_leaves_are_known(root):
    found = {path.stem for path in (root / 'configs/seg').glob('sapiens_*.py')}
    assert found == {*RECIPES, 'sapiens_tiny_synthetic', 'sapiens_tiny_synthetic_probe'}


@pytest.mark.parametrize('name', RECIPES)
def test_recipe_builds_and_agrees_with_itself(root, name):
    config = load(root, name)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    size = name.split('_')[1]
    assert model.backbone.embed_dims == ENCODERS[size]
    assert model.backbone.img_size == ((256, 192) if size == 'tiny' else (1024, 768))
    settings = [config[f'{split}_dataloader'].dataset for split in ('train', 'val', 'test')]
    vocabulary = resolve_vocabulary(settings[0].vocabulary)
    assert all(one.vocabulary == settings[0].vocabulary for one in settings)
    assert config.tta_model.vocabulary == settings[0].vocabulary
    assert model.num_classes == len(vocabulary.classes)
    height, width = model.backbone.img_size
    train, test = settings[0].pipeline, settings[2].pipeline
    assert step(train, 'Resize').scale == step(test, 'Resize').scale == (width, height)
    assert not step(test, 'Resize').keep_ratio
    assert step(train, 'RandomCrop').crop_size == (height, width)
    check_tta_sizes(config, model)
    with torch.device('meta'):
        tta = MODELS.build({**config.tta_model, 'module': config.model})
    assert tta.module.labels_only is False
    METRICS.build(config.test_evaluator)
    for hook in config.custom_hooks:
        HOOKS.build(hook)


def test_synthetic_recipe_is_tiny_at_half_its_size(root):
    config = load(root, 'sapiens_tiny_synthetic')
    with torch.device('meta'):
        model = MODELS.build(config.model)
    assert model.backbone.img_size == (128, 96)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        assert step(loader.dataset.pipeline, 'Resize').scale == (96, 128)
        assert loader.dataset.data_root == config.data_root
    check_tta_sizes(config, model)
    with DefaultScope.overwrite_default_scope('mmseg'):
        optimizer = build_optim_wrapper(model, config.optim_wrapper).optimizer
    rates = {group['lr'] for group in optimizer.param_groups}
    assert rates == {1e-3, 1e-2}


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
    ('data', 'epochs', 'schedule', 'padding', 'ratio', 'fill', 'weighted'),
    [
        ('goliath', 200, 'PolyLR', 0, (0.2, 2.0), 0, True),
        ('lip', 400, 'CosineAnnealingLR', 2, (0.75, 1.25), 255, True),
        ('cihp', 400, 'PolyLR', 2, (0.75, 1.25), 255, True),
        ('face', 200, 'PolyLR', 0, (0.2, 2.0), 0, False),
    ],
)
def test_published_numbers(root, size, data, epochs, schedule, padding, ratio, fill, weighted):
    if data == 'face' and size != '1b':
        return  # published for one size
    config = load(root, f'sapiens_{size}_{data}')
    assert config.train_cfg.max_epochs == epochs
    warm_up, main = config.param_scheduler
    assert (warm_up.type, warm_up.start_factor, warm_up.end) == ('LinearLR', 1e-3, 400)
    assert (main.type, main.end, main.by_epoch) == (schedule, epochs, True)
    assert config.optim_wrapper.optimizer.lr == 5e-4
    rate = 1.0 if size == 'tiny' else 0.85
    assert config.optim_wrapper.paramwise_cfg.layer_decay_rate == rate
    assert config.model.backbone.patch_padding == padding
    pipeline = config.train_dataloader.dataset.pipeline
    assert step(pipeline, 'RandomResize').ratio_range == ratio
    assert step(pipeline, 'RandomCrop').cat_max_ratio == 0.75
    rotate = step(pipeline, 'RandomRotate')
    assert (rotate.prob, rotate.degree, rotate.seg_pad_val) == (0.5, 45, fill)
    assert step(pipeline, 'SwapFlip').prob == 0.5
    backgrounds = [one.prob for one in pipeline if one.type.endswith('RandomBackground')]
    assert backgrounds == ([0.8] if data == 'goliath' else [])
    assert pipeline[-2].type == 'sapiens_common.ColourDistortion' and len(pipeline[-2]) == 1
    loss = config.model.decode_head.loss_decode
    assert loss.average == 'pixels'
    assert (resolve_vocabulary(loss.vocabulary).weights is not None) == weighted


@pytest.mark.parametrize('data', ['goliath', 'lip'])
def test_schedule_ends_at_zero(root, data):
    config = load(root, f'sapiens_tiny_{data}')
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    main = PARAM_SCHEDULERS.build({**config.param_scheduler[1], 'optimizer': optimizer})
    for _ in range(config.train_cfg.max_epochs):
        optimizer.step()
        main.step()
    assert optimizer.param_groups[0]['lr'] < 0.01


# The shipped structure with thin layers, few blocks and few points: (parts of the model, their settings).
THIN_RESNET = {
    'backbone': {'depth': 50, 'base_channels': 8, 'init_cfg': None},
    'decode_head': {'in_channels': 256, 'channels': 16},
    'auxiliary_head': {'in_channels': 128, 'channels': 8},
}
BASELINES = {
    'fcn_r101': THIN_RESNET,
    'deeplabv3plus_r101': {
        **THIN_RESNET,
        'decode_head': {**THIN_RESNET['decode_head'], 'c1_in_channels': 32, 'c1_channels': 8},
    },
    'segformer_b5': {
        'backbone': {'embed_dims': 8, 'num_layers': [1, 1, 1, 1], 'init_cfg': None},
        'decode_head': {'in_channels': [8, 16, 40, 64], 'channels': 16},
    },
    'mask2former_swin_l': {
        'backbone': {'embed_dims': 12, 'depths': [1] * 4, 'num_heads': [1] * 4, 'init_cfg': None},
        'decode_head': {
            'in_channels': [12, 24, 48, 96],
            'num_queries': 5,
            'transformer_decoder': {'num_layers': 1},
            'pixel_decoder': {'encoder': {'num_layers': 1}},
            'train_cfg': {'num_points': 64},
        },
    },
}


def test_all_baselines_are_known(root):
    found = {path.stem for path in (root / 'configs/seg/baselines').glob('*_goliath.py')}
    assert found == {f'{name}_goliath' for name in BASELINES}


@pytest.mark.parametrize('name', BASELINES)
def test_baseline_builds_in_full(root, name, monkeypatch):
    # Swin and MiT read their drop rates with .item(), which meta tensors refuse.
    monkeypatch.setattr(torch, 'linspace', partial(torch.linspace, device='cpu'))
    with torch.device('meta'):
        model = MODELS.build(load(root, f'baselines/{name}_goliath').model)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert 60 < millions < 250


@pytest.mark.parametrize('name', BASELINES)
def test_baseline_trains_and_predicts_the_28_classes(root, name, labelled):
    config = load(root, f'baselines/{name}_goliath')
    ours = load(root, 'sapiens_1b_goliath')
    assert config.train_dataloader == ours.train_dataloader
    assert config.test_dataloader == ours.test_dataloader
    assert config.train_cfg.max_epochs == ours.train_cfg.max_epochs
    assert 'constructor' not in config.optim_wrapper  # layer decay is for our encoder
    config.merge_from_dict({'model': BASELINES[name]})
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = revert_sync_batchnorm(MODELS.build(config.model))
        build_optim_wrapper(model, config.optim_wrapper)
    images = torch.randn(2, 3, 128, 96)
    losses = model(images, labelled(torch.randint(0, 28, (2, 128, 96))), mode='loss')
    total = sum(value.mean() for key, value in losses.items() if 'loss' in key)
    total.backward()
    assert torch.isfinite(total)
    model.eval()
    with torch.no_grad():
        predicted = model.predict(images[:1], labelled(torch.zeros(1, 61, 47)))
    labels = predicted[0].pred_sem_seg.data
    assert labels.shape == (1, 61, 47) and labels.max() < 28


LEAVES = sorted(
    path.stem for path in (Path(__file__).resolve().parents[2] / 'configs/seg').glob('*.py')
)


@pytest.mark.parametrize('leaf', LEAVES)
def test_a_users_own_classes_take_one_short_file_from_any_leaf(root, tmp_path, leaf):
    """The example of docs/segmentation.md."""
    text = (root / 'docs/segmentation.md').read_text()
    example = text.split('```python\n# configs/seg/my_garments.py\n')[1].split('```')[0]
    own = example.replace("'sapiens_0.3b_goliath.py'", f"'{root}/configs/seg/{leaf}.py'")
    assert leaf in own
    (tmp_path / 'my_garments.py').write_text(own)
    config = Config.fromfile(tmp_path / 'my_garments.py')
    with torch.device('meta'):
        model = MODELS.build(config.model)
    names = ['Background', 'Skin', 'Left_Sleeve', 'Right_Sleeve', 'Collar']
    for split in ('train', 'val', 'test'):
        dataset = config[f'{split}_dataloader'].dataset
        vocabulary = resolve_vocabulary(dataset.vocabulary)
        assert vocabulary.classes == tuple(names) and vocabulary.swap_pairs == ((2, 3),)
        assert dataset['values'] == 'ids' and dataset.data_root.startswith('data/garments')
        assert not any('RandomBackground' in one.type for one in dataset.pipeline)
    assert resolve_vocabulary(config.tta_model.vocabulary) == vocabulary
    (loss,) = model.decode_head.loss_decode
    assert model.num_classes == 5 and loss.class_weight == [0.1, 1.0, 3.0, 3.0, 5.0]


def test_a_dict_of_own_classes_replaces_a_shipped_vocabulary(root, tmp_path):
    own = dict(classes=['Background', 'Left_Shoe', 'Right_Shoe'], weights=[0.1, 1.0, 1.0])
    text = f"""
_base_ = ['{root}/configs/seg/sapiens_tiny_synthetic.py']
model = dict(decode_head=dict(num_classes=3, loss_decode=dict(vocabulary={own})))
train_dataloader = dict(dataset=dict(vocabulary={own}))
"""
    (tmp_path / 'shoes.py').write_text(text)
    config = Config.fromfile(tmp_path / 'shoes.py')
    loss = MODELS.build(config.model.decode_head.loss_decode)
    assert loss.class_weight == [0.1, 1.0, 1.0]
    classes = resolve_vocabulary(config.train_dataloader.dataset.vocabulary).classes
    assert classes == tuple(own['classes'])


def test_the_probe_trains_a_linear_layer_alone(root):
    config = load(root, 'sapiens_tiny_synthetic_probe')
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config.model)
        optimizer = build_optim_wrapper(model, config.optim_wrapper)
    learned = {
        name: value.clone() for name, value in model.named_parameters() if value.requires_grad
    }
    assert {name: tuple(value.shape) for name, value in learned.items()} == {
        'decode_head.conv_seg.weight': (28, 192, 1, 1),
        'decode_head.conv_seg.bias': (28,),
    }
    frozen = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.randint(0, 28, (1, 128, 96))))
    images = [torch.randint(0, 256, (3, 128, 96), dtype=torch.uint8)]
    model.train()
    model.train_step(dict(inputs=images, data_samples=[sample]), optimizer)
    for name, before in learned.items():
        assert not torch.equal(model.get_parameter(name), before), name
    for name, before in frozen.items():
        assert torch.equal(model.backbone.state_dict()[name], before), name
    model.eval()
    sample = SegDataSample(metainfo=dict(ori_shape=(128, 96), img_shape=(128, 96)))
    (found,) = model.test_step(dict(inputs=images, data_samples=[sample]))
    assert found.pred_sem_seg.shape == (128, 96)
