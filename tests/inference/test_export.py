# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import runpy
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from old_torch import needs_export, needs_onnx

from sapiens_common.checkpoint import read_checkpoint
from sapiens_inference.engine.models import load_model
from sapiens_inference.guess import guess_config
from sapiens_inference.outputs import export
from sapiens_inference.outputs.export import convert_checkpoint, export_model
from sapiens_inference.outputs.exported import use_exported

SIZE = (64, 48)


@pytest.mark.parametrize(
    ('task', 'kind'),
    [
        pytest.param('pose', 'onnx', marks=needs_onnx),
        pytest.param('seg', 'torch_export', marks=needs_export),
        ('depth', 'torchscript'),
        pytest.param('normal', 'onnx', marks=needs_onnx),
    ],
)
def test_exports_equal_eager_for_any_batch(small_model, tmp_path, task, kind):
    model = small_model(task)
    path = tmp_path / f'model{export.FORMATS[kind]}'
    assert export_model(model, path, kind, SIZE) <= export.TOLERANCES['float32']
    images = torch.randn(5, 3, *SIZE)  # a batch the tool did not try
    with torch.no_grad():
        expected = model(images, None, mode='tensor')
    if kind == 'onnx':
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
        found = session.run(None, {'images': images.numpy()})[0]
    elif kind == 'torch_export':
        found = torch.export.load(path).module()(images).numpy()
    else:
        found = torch.jit.load(str(path))(images).numpy()
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4 * expected.abs().max().item())


@needs_onnx
def test_a_model_takes_its_maps_from_files(small_model, tmp_path):
    model, path = small_model('depth'), tmp_path / 'model.onnx'
    export_model(model, path, 'onnx', SIZE)
    images = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        expected = model(images, None, mode='tensor')
        for parameter in model.parameters():  # what it answers is not its own any more
            parameter.zero_()
        use_exported(model, [str(path)])
        found = model(images, None, mode='tensor')
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * expected.abs().max().item())
    with pytest.raises(ValueError, match='seg=x.onnx: expected FILE, the model has one task'):
        use_exported(model, ['seg=x.onnx'])
    several = SimpleNamespace(tasks={'pose': model})
    with pytest.raises(ValueError, match='x.onnx: expected task=FILE with a task of pose'):
        use_exported(several, ['x.onnx'])


@needs_onnx
@pytest.mark.parametrize('precision', ['float16', 'int8'])
def test_onnx_in_fewer_bits(small_model, tmp_path, precision):
    model, path = small_model('depth', shrink=False), tmp_path / 'model.onnx'
    plain = sum(value.numel() * 4 for value in model.state_dict().values())
    difference = export_model(model, path, 'onnx', (64, 48), precision=precision)
    # It is not the float32 file under another name.
    assert 1e-6 < difference <= export.TOLERANCES[precision]
    assert path.stat().st_size < 0.6 * plain
    with pytest.raises(ValueError, match='torchscript is not written in int8; ONNX is, in float32'):
        export_model(model, path, 'torchscript', (64, 48), precision='int8')


def test_a_traced_file_is_a_checkpoint_with_the_original_names(small_model, small_config, tmp_path):
    model = small_model('pose')
    path = tmp_path / 'lite.pt2'
    export_model(model, path, 'torchscript', SIZE)
    tensors = read_checkpoint(path).state_dict
    assert set(tensors) == set(model.state_dict())
    for name, value in model.state_dict().items():
        assert torch.equal(tensors[name], value)
    loaded = load_model(
        small_config('pose'), path, device='cpu'
    )  # the lite release's files take this road
    assert torch.equal(loaded.model.head.final_layer.weight, model.head.final_layer.weight)


def test_an_export_that_differs_leaves_the_earlier_one(small_model, tmp_path, monkeypatch):
    loaders = export._loaders()
    monkeypatch.setattr(
        export,
        '_loaders',
        lambda: {'torchscript': lambda path: lambda x: loaders['torchscript'](path)(x) * 1.01},
    )
    path = tmp_path / 'model.pt2'
    path.write_text('of yesterday')
    with pytest.raises(ValueError, match=r'differs from eager by 1\.0e-02 .*it was not written'):
        export_model(small_model('depth'), path, 'torchscript', SIZE)
    assert [p.name for p in tmp_path.iterdir()] == ['model.pt2']
    assert path.read_text() == 'of yesterday'


@needs_onnx
def test_a_model_in_16_bits_is_refused(small_model, tmp_path):
    with pytest.raises(ValueError, match="computes in 16 bits; load it with dtype='float32'"):
        export_model(small_model('depth').bfloat16(), tmp_path / 'x.onnx', 'onnx', SIZE)


def test_an_export_that_gives_nan_is_not_written(small_model, tmp_path, monkeypatch):
    """NaN is neither above nor below the tolerance."""
    nan = {'torchscript': lambda path: lambda x: torch.full((len(x), 1, 1, 1), torch.nan)}
    monkeypatch.setattr(export, '_loaders', lambda: nan)
    path = tmp_path / 'model.pt2'
    with pytest.raises(ValueError, match='differs from eager by nan'):
        export_model(small_model('depth'), path, 'torchscript', SIZE)
    assert not path.exists()


@pytest.mark.parametrize(('kind', 'least'), [('onnx', '2.7'), ('torch_export', '2.4')])
def test_what_an_old_torch_cannot_export(small_model, tmp_path, monkeypatch, kind, least):
    monkeypatch.setattr(torch, '__version__', '2.1.2')
    with pytest.raises(ValueError, match=f'{kind} needs torch {least} or newer, found 2.1.2'):
        export_model(small_model('depth'), tmp_path / 'a', kind, SIZE)


def test_unknown_formats_and_models_are_named(small_model, tmp_path):
    with pytest.raises(ValueError, match="format 'tflite' is not one of torchscript, onnx"):
        export_model(small_model('depth'), tmp_path / 'x', 'tflite', SIZE)
    with pytest.raises(ValueError, match='Linear has neither head nor decode_head'):
        model = torch.nn.Linear(1, 1)
        model.backbone = torch.nn.Identity()
        export.RawModel(model)


def test_checkpoints_travel_to_safetensors_and_back_unchanged(tmp_path):
    shared = torch.randn(3, 4)
    state = {
        'backbone.patch_embed.projection.weight': torch.randn(8, 3, 2, 2, dtype=torch.float64),
        'backbone.ln1.bias': torch.randn(4).to(torch.bfloat16),
        'head.a': shared,
        'head.b': shared,  # tied
    }
    meta = {'epoch': 3, 'dataset_meta': {'sigmas': np.arange(3.0), 'dataset_name': 'x'}}
    source = tmp_path / 'a.pth'
    torch.save({'state_dict': state, 'meta': meta, 'optimizer': {'lr': 1}}, source)
    assert convert_checkpoint(source, tmp_path / 'b.safetensors') == 4
    assert convert_checkpoint(tmp_path / 'b.safetensors', tmp_path / 'c.pth') == 4
    back = read_checkpoint(tmp_path / 'c.pth')
    assert set(back.state_dict) == set(state) and not back.training
    for name, value in state.items():
        assert back.state_dict[name].dtype == value.dtype
        assert torch.equal(back.state_dict[name], value)
    assert read_checkpoint(tmp_path / 'b.safetensors').meta == back.meta
    assert back.meta == {'epoch': 3, 'dataset_meta': {'sigmas': [0, 1, 2], 'dataset_name': 'x'}}
    assert convert_checkpoint(source, tmp_path / 'clean.pth', encoder_only=True) == 2
    assert 'ln1.bias' in read_checkpoint(tmp_path / 'clean.pth').state_dict
    convert_checkpoint(source, tmp_path / 'half.safetensors', half=True)
    half = read_checkpoint(tmp_path / 'half.safetensors')
    assert {value.dtype for value in half.state_dict.values()} == {torch.float16} and not half.meta
    torch.testing.assert_close(half.state_dict['head.a'].float(), shared, rtol=1e-3, atol=1e-4)
    before = source.read_bytes()
    with pytest.raises(ValueError, match='is the file to read; name another'):
        convert_checkpoint(source, source)
    assert source.read_bytes() == before
    with pytest.raises(ValueError, match=r'expected a \.safetensors or \.pth'):
        convert_checkpoint(source, tmp_path / 'd.bin')


def test_the_config_of_a_checkpoint_is_inferred_from_its_shapes(small_model, root):
    tensors = small_model('seg', shrink=False).state_dict()
    expected = root / 'configs/seg/sapiens_tiny_goliath.py'
    assert guess_config('seg.pth', 'seg', tensors) == expected
    with pytest.raises(ValueError, match='this is a checkpoint for seg, not one for depth'):
        guess_config('seg.pth', 'depth', tensors)
    with pytest.raises(ValueError, match='no encoder of a shipped size'):
        guess_config('other.pth', 'pose', {'w': torch.zeros(1)})


def test_a_published_checkpoints_shapes_name_its_config(checkpoint_keys, root):
    for task, data in (('pose', 'goliath'), ('seg', 'goliath'), ('depth', 'render_people')):
        for size in ('0.3b', '2b'):
            shapes = checkpoint_keys(f'{task}_{data}', size)
            tensors = {name: torch.empty(shape, device='meta') for name, shape in shapes.items()}
            expected = root / f'configs/{task}/sapiens_{size}_{data}.py'
            assert guess_config('x.pth', task, tensors) == expected


@pytest.mark.slow
def test_the_convert_tools(small_model, small_config, tmp_path, root):
    torch.save({'state_dict': small_model('depth').state_dict()}, tmp_path / 'depth.pth')
    run = [sys.executable, str(root / 'tools/convert/checkpoint.py')]
    done = subprocess.run(
        [*run, tmp_path / 'depth.pth', tmp_path / 'depth.safetensors'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and 'all equal' in done.stdout, done.stderr
    small_config('depth').dump(tmp_path / 'depth.py')
    run = [sys.executable, str(root / 'tools/convert/export.py'), tmp_path / 'depth.py']
    done = subprocess.run(
        [*run, tmp_path / 'depth.safetensors', tmp_path / 'x.pt2', '--format', 'torchscript'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and 'differs from eager by' in done.stdout, done.stderr
    assert (tmp_path / 'x.pt2').is_file()


@needs_onnx
def test_sapiens2_goes_to_onnx_with_positions_in_float32(
    small_model, small_config, tmp_path, root, capsys
):
    tool = runpy.run_path(str(root / 'tools/convert/export.py'))['main']
    torch.save({'state_dict': small_model('albedo').state_dict()}, tmp_path / 'albedo.pth')
    small_config('albedo').dump(tmp_path / 'albedo.py')
    files = [str(tmp_path / name) for name in ('albedo.py', 'albedo.pth', 'albedo.onnx')]
    assert tool([*files, '--format', 'onnx']) == 2
    assert 'in bfloat16, which ONNX runtimes round differently' in capsys.readouterr().err
    assert tool([*files, '--format', 'onnx', '--float32-positions']) == 0
    assert 'positions are in float32' in capsys.readouterr().out
    assert (tmp_path / 'albedo.onnx').is_file()


def test_published_layout_there_and_back(tmp_path):
    """Names only: values, and those of a first-generation model altogether, stay."""
    names = ('backbone.blocks.0.attn.wq.weight', 'head.conv_layers.0.bias', 'head.final_layer.bias')
    tensors = {name: torch.randn(3) for name in names}
    tensors['head.final_layer.weight'] = torch.randn(3, 2, 1, 1)
    ours, published, back = (tmp_path / name for name in ('a.pth', 'b.safetensors', 'c.pth'))
    torch.save({'state_dict': tensors}, ours)
    assert convert_checkpoint(ours, published, layout='published') == 4
    written = read_checkpoint(published).state_dict
    assert set(written) == {
        'backbone.blocks.0.attn.wq.weight',
        'decode_head.conv_layers.0.bias',
        'decode_head.conv_pose.weight',
        'decode_head.conv_pose.bias',
    }
    assert torch.equal(written['decode_head.conv_pose.bias'], tensors['head.final_layer.bias'])
    convert_checkpoint(published, back, layout='ours')
    assert set(read_checkpoint(back).state_dict) == set(tensors)
