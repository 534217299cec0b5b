# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Prediction equals MMSegmentation's, fine-tuning from another label set, and mirrored averaging."""

import re

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import MMLogger
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

ARCH = {'embed_dims': 32, 'num_layers': 1, 'num_heads': 2, 'feedforward_channels': 64}
SWAPPED = {'classes': ['background', 'left', 'right', 'hat']}


def config(segmentor='sapiens_seg.BodyPartSegmentor', classes=4, **extra):
    settings = {
        'type': segmentor,
        'backbone': {'type': 'sapiens_pretrain.SapiensViT', 'arch': ARCH, 'img_size': (64, 48)},
        'decode_head': {
            'type': 'sapiens_seg.SapiensSegHead',
            'in_channels': 32,
            'num_classes': classes,
            'deconv_out_channels': (16, 16),
            'conv_out_channels': (16,),
        },
        'test_cfg': {'mode': 'whole'},
        **extra,
    }
    return ConfigDict(settings)  # upstream reads test_cfg.mode


def build(seed=0, **options):
    torch.manual_seed(seed)
    model = MODELS.build(config(**options))
    model.init_weights()
    return model.eval()


def sample(size=(101, 67), **meta):
    return SegDataSample(metainfo={'ori_shape': size, 'img_shape': (64, 48), **meta})


@pytest.fixture(scope='module')
def images():
    return torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def both(images, samples, **options):
    """Labels by our segmentor and by upstream's with the same weights."""
    ours = build(**options)
    theirs = MODELS.build(config('EncoderDecoder', **options)).eval()
    theirs.load_state_dict(ours.state_dict())
    return ours.predict(images, samples()), theirs.predict(images, samples())


@pytest.mark.parametrize(
    'samples',
    [
        lambda: [sample(), sample((513, 402))],  # images of different sizes in a batch
        lambda: [sample((64, 48)), sample((31, 20))],
        lambda: [sample(padding_size=[4, 0, 2, 6]), sample(padding_size=[0, 0, 0, 0])],
        lambda: [sample(flip=True, flip_direction='horizontal'), sample()],
        lambda: None,
    ],
    ids=['sizes', 'down', 'padding', 'flip', 'no samples'],
)
def test_labels_equal_upstreams(images, samples):
    ours, theirs = both(images, samples)
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine.pred_sem_seg.data.shape == reference.pred_sem_seg.data.shape
        assert torch.equal(mine.pred_sem_seg.data.long(), reference.pred_sem_seg.data)


@pytest.mark.parametrize(
    'test_cfg',
    [{}, {'mode': 'whole'}, {'mode': 'slide', 'crop_size': (64, 32), 'stride': (64, 16)}],
)
def test_test_modes(images, test_cfg):
    if test_cfg:
        ours, theirs = both(images, lambda: [sample(), sample()], test_cfg=test_cfg)
        for mine, reference in zip(ours, theirs, strict=True):
            assert torch.equal(mine.pred_sem_seg.data.long(), reference.pred_sem_seg.data)
    else:
        model = build(test_cfg=test_cfg)
        assert model.predict(images)[0].pred_sem_seg.data.dtype == torch.uint8


def test_logits_only_on_request(images):
    with torch.no_grad():
        # A preprocessor that pads to whole patches says so also where nothing was missing.
        lean = build().predict(images, [sample(), sample(img_padding_size=(0, 0, 0, 0))])
        full = build(labels_only=False).predict(images, [sample(), sample()])
    assert not any('seg_logits' in one for one in lean)
    assert lean[0].pred_sem_seg.data.dtype == torch.uint8
    assert full[0].seg_logits.data.shape == (4, 101, 67)
    assert torch.equal(lean[0].pred_sem_seg.data.long(), full[0].pred_sem_seg.data)


def save(model, path, drop=()):
    state = {k: v for k, v in model.state_dict().items() if k not in drop}
    torch.save({'state_dict': state, 'meta': {}}, path)
    return str(path)


def test_start_from_another_label_set(tmp_path, caplog, monkeypatch):
    source = build(seed=1, classes=28)
    path = save(source, tmp_path / 'parts.pth')
    logger = MMLogger.get_current_instance()
    logger.setLevel('INFO')  # the demo, tested before, quietens it
    monkeypatch.setattr(logger, 'handlers', [caplog.handler])
    model = build(seed=2, classes=4, init_from=path)
    left_out = {'decode_head.conv_seg.weight', 'decode_head.conv_seg.bias'}
    for name, value in model.state_dict().items():
        assert (name in left_out) or torch.equal(value, source.state_dict()[name])
    assert 'decode_head.conv_seg.weight' in caplog.text and 'start at random' in caplog.text
    # with the same classes all is taken
    same = build(seed=2, classes=28, init_from=path).state_dict()
    assert all(torch.equal(value, same[name]) for name, value in source.state_dict().items())


def test_a_start_that_does_not_fit_is_an_error(tmp_path):
    missing = save(
        build(classes=28), tmp_path / 'torn.pth', drop=['decode_head.deconv_layers.0.weight']
    )
    with pytest.raises(ValueError, match=re.escape('decode_head.deconv_layers.0.weight')):
        build(init_from=missing)
    with pytest.raises(ValueError, match=r'nothing\.pth does not exist'):
        build(init_from=str(tmp_path / 'nothing.pth'))


def tta(**options):
    torch.manual_seed(0)
    model = MODELS.build(
        {
            'type': 'sapiens_seg.BodyPartTTAModel',
            'vocabulary': SWAPPED,
            'module': config(**options),
        }
    )
    model.module.init_weights()
    return model.eval()


def test_averaging_needs_the_classes_of_the_head():
    message = 'tta_model: vocabulary custom has 4 classes, the head num_classes=5'
    with pytest.raises(ValueError, match=message):
        tta(classes=5)


@torch.no_grad()
def test_mirrored_averaging_swaps_left_and_right(images):
    """Against the average written out: mirror the image, mirror the logits back, swap the pair."""
    model = tta()
    plain, mirrored = [sample() for _ in range(2)], []
    mirrored = [sample(flip=True, flip_direction='horizontal') for _ in range(2)]
    for samples in (plain, mirrored):
        for one in samples:
            one.set_metainfo({'img_path': 'a.jpg'})
    batches = [
        model.module.predict(images, plain),
        model.module.predict(images.flip(3), mirrored),
    ]
    merged = model.merge_preds([list(pair) for pair in zip(*batches, strict=True)])
    logits = model.module.predict(images, [sample(), sample()])
    reverse = model.module.predict(images.flip(3), [sample(), sample()])
    for result, one, other in zip(merged, logits, reverse, strict=True):
        # upstream mirrors before it resizes, which for a linear map is the same up to rounding
        back = other.seg_logits.data.flip(2)[[0, 2, 1, 3]]
        mean = (one.seg_logits.data.softmax(0) + back.softmax(0)) / 2
        agreement = (result.pred_sem_seg.data[0] == mean.argmax(0)).float().mean()
        assert agreement > 0.999


def test_a_mirror_image_gives_the_mirrored_labels():
    """With perfect logits for a left hand, the mirrored pass must vote for the left hand, too."""
    model = tta()
    logits = torch.full((4, 5, 6), -9.0)
    logits[1, :, :3], logits[0, :, 3:] = 9, 9  # left hand in the left half, as in the image
    mirrored = torch.full((4, 5, 6), -9.0)
    mirrored[2, :, :3], mirrored[0, :, 3:] = 9, 9  # seen as a right hand; already mirrored back
    samples = [sample((5, 6), img_path='a'), sample((5, 6), flip=True, flip_direction='horizontal')]
    for one, values in zip(samples, (logits, mirrored), strict=True):
        one.seg_logits = PixelData(data=values)
    merged = model.merge_preds([samples])[0].pred_sem_seg.data
    assert torch.equal(merged[0], torch.tensor([1, 1, 1, 0, 0, 0]).expand(5, 6))
