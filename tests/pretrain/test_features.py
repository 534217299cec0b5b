# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Features from any checkpoint equal the encoder's own output; the tools around a checkpoint."""

import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

from sapiens_common.checkpoint import read_checkpoint
from sapiens_pretrain.features import MEAN, STD, FeatureExtractor
from sapiens_pretrain.models.sapiens2 import Sapiens2ViT
from sapiens_pretrain.models.vit import SapiensViT


@pytest.fixture
def clean(checkpoint, tmp_path):
    """The encoder alone."""
    out = tmp_path / 'clean.pth'
    assert run_convert(checkpoint, out, '--encoder') == 0
    return out


def run_convert(*arguments):
    """The exit code of tools/convert/checkpoint.py, run in this process."""
    path = Path(__file__).parents[2] / 'tools/convert/checkpoint.py'
    return runpy.run_path(str(path))['main']([str(argument) for argument in arguments])


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


def test_an_unusual_grid_is_asked_for(tmp_path):
    # 10 x 5 patches without a class token, which could be 7 x 7 with one.
    arch = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16)
    state = SapiensViT(arch=arch, img_size=(160, 80)).state_dict()
    torch.save({'state_dict': state}, tmp_path / 'tall.pth')
    with pytest.raises(ValueError, match='pass img_size, its grid is unusual'):
        FeatureExtractor(tmp_path / 'tall.pth', arch=arch, device='cpu')
    found = FeatureExtractor(tmp_path / 'tall.pth', arch=arch, img_size=(160, 80), device='cpu')
    assert torch.equal(found.encoder.pos_embed, state['pos_embed'])


@pytest.mark.parametrize(
    ('settings', 'size', 'grid'),
    [
        (dict(arch='tiny'), None, (16, 12)),
        (dict(arch='tiny', num_registers=0), (64, 48), (4, 3)),
        (dict(arch='tiny', tokenizer_window=4), (128, 64), (2, 1)),
    ],
)
def test_encoders_of_the_second_generation(tmp_path, image, settings, size, grid):
    encoder = Sapiens2ViT(**settings, img_size=size or (256, 192), out_indices=(3, 5)).eval()
    encoder.init_weights()
    torch.save(encoder.state_dict(), tmp_path / 'sapiens2.pth')
    extractor = FeatureExtractor(
        tmp_path / 'sapiens2.pth', layers=(3, -1), img_size=size, device='cpu'
    )
    prepared = extractor.prepare(image)
    (found,) = extractor([prepared])
    assert found.shape == (2, 192, *grid)
    pixels = (prepared.float() - extractor.mean) / extractor.std
    with torch.no_grad():
        expected = torch.cat(encoder(pixels[None]))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(ValueError, match='is of Sapiens2, which has no patch_padding'):
        FeatureExtractor(tmp_path / 'sapiens2.pth', patch_padding=2)


def test_errors(checkpoint, tmp_path):
    with pytest.raises(ValueError, match="'mean' is not one of"):
        FeatureExtractor(checkpoint, kind='mean')
    for layers in ((6,), (-7,), ()):
        with pytest.raises(ValueError, match=r'expected numbers from 0 to 5, or from -1'):
            FeatureExtractor(checkpoint, layers=layers)
    weights = read_checkpoint(checkpoint).state_dict
    weights = {k: v for k, v in weights.items() if '.5.' not in k}
    torch.save({'state_dict': weights}, tmp_path / 'five.pth')
    with pytest.raises(ValueError, match='width 192 with 5 blocks is not one of'):
        FeatureExtractor(tmp_path / 'five.pth')


@pytest.mark.parametrize('form', ['full', 'clean', 'safetensors'])
def test_initialises_every_task_config(checkpoint, clean, root, form):
    """Class token dropped, square table fitted to the task's grid, with a report."""
    from mmengine.config import Config

    path = {'full': checkpoint, 'clean': clean}.get(form)
    if path is None:
        path = clean.with_suffix('.safetensors')
        assert run_convert(checkpoint, path, '--encoder') == 0
    weights = read_checkpoint(checkpoint).state_dict
    name = 'layers.5.ffn.layers.1.weight'
    found = {}
    for file in sorted((root / 'configs').glob('*/sapiens_tiny_*.py')):
        if file.parent.name == 'pretrain':
            continue
        cfg = Config.fromfile(file).model.backbone
        if cfg.type == 'sapiens_pretrain.ConvStemViT':  # no pretrained encoder has its stem
            continue
        cfg.init_cfg = dict(type='Pretrained', checkpoint=str(path))
        backbone = MODELS.build(cfg)
        backbone.init_weights()
        assert backbone.pos_embed.shape == (1, backbone.grid[0] * backbone.grid[1], 192)
        assert torch.equal(backbone.get_parameter(name), weights[f'backbone.{name}'])
        found[file.parent.name] = found.get(file.parent.name, 0) + 1
    assert {'pose', 'seg', 'depth', 'normal'} <= set(found), found


def test_export_does_not_overwrite_its_input(clean, capsys):
    assert run_convert(clean, clean, '--encoder') == 2
    assert 'is the file to read; name another one' in capsys.readouterr().err
    assert run_convert(clean, '--encoder') == 0
    assert clean.with_name('clean_clean.pth').is_file()
    assert run_convert('none.pth', '--encoder') == 2
    assert 'none.pth does not exist' in capsys.readouterr().err


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
    # What is there is of another kind: not to be kept as if it were this one.
    for other in (('--kind', 'map'), ('--kind', 'pooled', '--patch-padding', 2)):
        with pytest.raises(SystemExit, match='of a run with other inputs or settings'):
            run_tool(*command, '--device', 'cpu', *other)


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


def test_extraction_of_a_list_in_low_precision(checkpoint, pictures, run_tool, tmp_path):
    listed = tmp_path / 'list.txt'
    listed.write_text(f'# two\n{pictures / "03.jpg"}\n{pictures / "07.jpg"}\n')
    command = ('tools/extract_features.py', listed, '--checkpoint', checkpoint, '--device', 'cpu')
    low = ('--dtype', 'bfloat16', '--save-dtype', 'float16', '--layers', 1, -1)
    run_tool(*command, '--out', tmp_path / 'low', *low)
    run_tool(*command, '--out', tmp_path / 'full', *low[4:])
    for name in ('03.npy', '07.npy'):
        (found,) = (tmp_path / 'low').rglob(name)
        (expected,) = (tmp_path / 'full').rglob(name)
        found, expected = np.load(found), np.load(expected)
        assert found.shape == expected.shape == (2, 192, 4, 4)
        assert (found.dtype, expected.dtype) == (np.float16, np.float32)
        assert 0 < np.abs(found - expected).mean() < 0.05


@pytest.mark.parametrize(
    ('tool', 'arguments', 'message'),
    [
        ('extract_features', ('nowhere', '--checkpoint', '{c}'), 'nowhere does not exist'),
        ('extract_features', ('x.jpg', '--checkpoint', 'none.pth'), 'none.pth'),
        ('visualize_mae', ('{f}', '{c}', 'nowhere'), 'nowhere: expected a folder'),
        ('visualize_mae', ('{f}', '{c}', '{p}', '--ratios', '1.5'), 'mask_ratio 1.5 of 16 patches'),
        ('visualize_mae', ('{f}', '{c}', '{p}', '--count', '0'), '--count must be at least 1'),
    ],
)
def test_wrong_input_ends_with_a_message(
    checkpoint, pictures, run_tool, monkeypatch, tmp_path, tool, arguments, message
):
    monkeypatch.chdir(tmp_path)
    paths = {'c': checkpoint, 'f': checkpoint.with_name('config.py'), 'p': pictures}
    with pytest.raises(SystemExit, match=f'error: .*{message}'):
        run_tool(f'tools/{tool}.py', *(part.format(**paths) for part in arguments))
    assert list(tmp_path.iterdir()) == []


def test_reconstruction_tool(checkpoint, pictures, run_tool, tmp_path):
    out = tmp_path / 'new' / 'figure.png'
    config = checkpoint.with_name('config.py')
    text = run_tool(
        'tools/visualize_mae.py', config, checkpoint, pictures, '--out', out, '--count', 3,
        '--device', 'cpu', '--ratios', 0.75, 0.8, 0.85, 0.88, 0.9,
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
