# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Features from any checkpoint equal the encoder's own output; the tools around a checkpoint."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

from sapiens_common.checkpoint import read_checkpoint
from sapiens_pretrain.features import MEAN, STD, FeatureExtractor
from sapiens_pretrain.models.vit import SapiensViT


@pytest.fixture
def clean(checkpoint, run_tool, tmp_path):
    """The encoder alone."""
    out = tmp_path / 'clean.pth'
    text = run_tool('tools/export_encoder.py', checkpoint, '--out', out)
    assert 'left out (neck)' in text
    return out


def reference(checkpoint, image, **options):
    """Plain encoder on a plainly prepared image."""
    encoder = SapiensViT(arch='tiny', img_size=(64, 64), with_cls_token=True, **options).eval()
    weights = read_checkpoint(checkpoint).state_dict
    encoder.load_state_dict(
        {k.removeprefix('backbone.'): v for k, v in weights.items() if k.startswith('backbone')}
    )
    x = (image[..., ::-1].astype(np.float32) - MEAN) / STD
    with torch.no_grad():
        return encoder(torch.from_numpy(x.transpose(2, 0, 1)[None]).float())


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ('kind', 'out_type', 'shape'),
    [
        ('map', 'featmap', (192, 4, 4)),
        ('pooled', 'avg_featmap', (192,)),
        ('cls', 'cls_token', (192,)),
    ],
)
def test_kinds(checkpoint, image, kind, out_type, shape):
    extractor = FeatureExtractor(checkpoint, kind=kind, device='cpu')
    assert extractor.img_size == (64, 64)
    (found,) = extractor([extractor.prepare(image)])
    assert found.shape == shape and found.dtype == np.float32
    expected = reference(checkpoint, image, out_type=out_type)[0][0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_layers_are_stacked(checkpoint, image):
    extractor = FeatureExtractor(checkpoint, layers=(0, 2, -1), device='cpu')
    (found,) = extractor([extractor.prepare(image)])
    expected = reference(checkpoint, image, out_indices=(0, 2, 5))
    assert found.shape == (3, 192, 4, 4)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs[0], rtol=1e-4, atol=1e-5)


def test_other_size_and_low_precision(checkpoint, image):
    full = FeatureExtractor(checkpoint, img_size=(64, 48), device='cpu')
    low = FeatureExtractor(checkpoint, img_size=(64, 48), device='cpu', dtype='bfloat16')
    (expected,), (found,) = full([full.prepare(image)]), low([low.prepare(image)])
    assert found.shape == (192, 4, 3) and found.dtype == np.float32
    assert 0 < np.abs(found - expected).mean() < 0.05


def test_clean_checkpoint_gives_the_same(checkpoint, clean, image):
    whole, alone = (FeatureExtractor(path, device='cpu') for path in (checkpoint, clean))
    assert len(alone.report.loaded) == len(whole.report.loaded)
    assert alone.report.skipped == [] and whole.report.skipped
    np.testing.assert_array_equal(whole([whole.prepare(image)]), alone([alone.prepare(image)]))


def test_task_checkpoint_has_no_class_token(clean, tmp_path):
    encoder = SapiensViT(
        arch='tiny', img_size=(64, 48), init_cfg=dict(type='Pretrained', checkpoint=str(clean))
    )
    encoder.init_weights()
    state = {f'backbone.{name}': value for name, value in encoder.state_dict().items()}
    torch.save({'state_dict': {**state, 'head.x': torch.zeros(1)}}, tmp_path / 'task.pth')
    extractor = FeatureExtractor(tmp_path / 'task.pth', device='cpu')
    assert extractor.img_size == (64, 48)
    with pytest.raises(ValueError, match='has no class token; take kind map or pooled'):
        FeatureExtractor(tmp_path / 'task.pth', kind='cls')


def test_errors(checkpoint, tmp_path):
    with pytest.raises(ValueError, match="'mean' is not one of"):
        FeatureExtractor(checkpoint, kind='mean')
    weights = read_checkpoint(checkpoint).state_dict
    weights = {k: v for k, v in weights.items() if '.5.' not in k}
    torch.save({'state_dict': weights}, tmp_path / 'five.pth')
    with pytest.raises(ValueError, match='width 192 with 5 blocks is none of'):
        FeatureExtractor(tmp_path / 'five.pth')


@pytest.mark.parametrize('task', ['pose/sapiens_tiny_goliath', 'seg/sapiens_tiny_goliath'])
@pytest.mark.parametrize('form', ['full', 'clean', 'safetensors'])
def test_initialises_the_task_configs(checkpoint, clean, root, run_tool, task, form):
    """Class token dropped, square table fitted to the task's 16 x 12."""
    from mmengine.config import Config

    path = {'full': checkpoint, 'clean': clean}.get(form)
    if path is None:
        path = clean.with_suffix('.safetensors')
        run_tool('tools/export_encoder.py', checkpoint, '--out', path)
    config = Config.fromfile(root / f'configs/{task}.py')
    config.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(path))
    backbone = MODELS.build(config.model.backbone)
    backbone.init_weights()
    weights = read_checkpoint(checkpoint).state_dict
    assert backbone.pos_embed.shape == (1, 16 * 12, 192)
    assert torch.equal(
        backbone.layers[5].ffn.layers[1].weight, weights['backbone.layers.5.ffn.layers.1.weight']
    )


def test_export_does_not_overwrite_its_input(clean, run_tool):
    with pytest.raises(ValueError, match='is the input; choose another --out'):
        run_tool('tools/export_encoder.py', clean, '--out', clean)


def test_extraction_tool(checkpoint, pictures, run_tool, tmp_path):
    (tmp_path / 'in').mkdir()
    for name in ('00.jpg', '01.jpg'):
        (tmp_path / 'in' / name).write_bytes((pictures / name).read_bytes())
    (tmp_path / 'in' / 'broken.jpg').write_bytes(b'no image')
    out = tmp_path / 'out'
    command = (
        'tools/extract_features.py',
        tmp_path / 'in',
        '--checkpoint',
        checkpoint,
        '--out',
        out,
    )
    options = ('--device', 'cpu', '--batch-size', 2, '--kind', 'pooled', '--safetensors')
    text = run_tool(*command, *options)
    assert '2 of 3 done' in text and 'broken.jpg' in text
    extractor = FeatureExtractor(checkpoint, kind='pooled', device='cpu')
    expected = extractor([extractor.prepare(cv2.imread(str(pictures / '01.jpg')))])[0]
    np.testing.assert_allclose(np.load(out / '01.npy'), expected, rtol=1e-4, atol=1e-5)
    from safetensors.numpy import load_file

    assert sorted(load_file(out / 'features.safetensors')) == ['00', '01']

    (out / '00.npy').unlink()
    before = (out / '01.npy').stat().st_mtime_ns
    run_tool(*command, *options)
    assert (out / '00.npy').is_file() and (out / '01.npy').stat().st_mtime_ns == before
    summary = json.loads((out / 'summary.json').read_text())
    assert summary['notes'] == {'was there already': 1}
    assert [entry['input'] for entry in summary['failed']] == [str(tmp_path / 'in' / 'broken.jpg')]


def test_extraction_from_a_video(checkpoint, run_tool, tmp_path):
    video = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 64))
    for value in (0, 100, 200):
        writer.write(np.full((64, 64, 3), value, np.uint8))
    writer.release()
    run_tool(
        'tools/extract_features.py', video, '--checkpoint', checkpoint, '--out', tmp_path / 'o'
    )
    found = sorted(str(p.relative_to(tmp_path / 'o')) for p in (tmp_path / 'o').rglob('*.npy'))
    assert found == ['clip/000000.npy', 'clip/000001.npy', 'clip/000002.npy']
    assert np.load(tmp_path / 'o' / found[0]).shape == (192, 4, 4)


def test_reconstruction_tool(checkpoint, pictures, run_tool, tmp_path):
    out = tmp_path / 'figure.png'
    config = checkpoint.with_name('config.py')
    text = run_tool(
        'tools/visualize_mae.py', config, checkpoint, pictures, '--out', out, '--count', 3,
        '--device', 'cpu',
    )  # fmt: skip
    assert '3 images' in text
    picture = cv2.imread(str(out))
    assert picture.shape == (
        20 + 3 * 68,
        11 * 68,
        3,
    )  # original, and a pair for each of five ratios
    first = cv2.resize(cv2.imread(str(pictures / '00.jpg')), (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(picture[20:84, :64].astype(int) - first).mean() < 6
    grey = (np.abs(picture[20:84, 68:132].astype(int) - (104, 116, 124)).max(axis=-1) <= 1).mean()
    assert grey == 0.75  # hidden patches show the mean colour
