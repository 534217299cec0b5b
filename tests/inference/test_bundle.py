# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A bundle's program gives the suite's own results, of every task of both generations."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from old_torch import needs_onnx

from sapiens_common.checkpoint import read_checkpoint
from sapiens_common.files.images import read_image
from sapiens_common.weights import find_config, find_weights
from sapiens_inference.engine.models import build_model, load_model, task_tensors
from sapiens_inference.outputs.bundle import licence_of, write_bundle
from sapiens_inference.tasks import find_task

pytestmark = needs_onnx  # bundles are ONNX
BOX_MODEL = 'sapiens_tiny/multitask_synthetic'  # the one with trained weights


def open_bundle(inferencer, folder):
    """Write a bundle and open it with its own program, run on one thread."""
    size = tuple(inferencer.loaded.config.model.backbone.img_size)
    write_bundle(inferencer, folder, size)
    spec = importlib.util.spec_from_file_location('run', folder / 'run.py')
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program.Model(folder, ['CPUExecutionProvider'])


def values_of(result):
    """The array that a bundle's program gives, of the suite's result for one person or image."""
    if result.task == 'pose':
        return np.column_stack([result.keypoints[0], result.scores[0]])
    if result.task == 'matting':
        return np.dstack([result.foreground, result.alpha])
    return getattr(result, find_task(result.task).result)


def people(samples):
    """Photo and box of the largest people of the COCO samples."""
    content = json.loads((samples / 'coco/test_coco.json').read_text())
    names = {image['id']: image['file_name'] for image in content['images']}
    largest = {}
    for one in content['annotations']:
        best = largest.get(one['image_id'])
        if best is None or one['area'] > best['area']:
            largest[one['image_id']] = one
    for number, one in largest.items():
        x, y, w, h = one['bbox']
        yield samples / 'coco' / names[number], [x, y, x + w, y + h]


def compare(inferencer, model, image, box=None):
    """Compare a program's result with the suite's.

    Returns:
        Of pose how far each point is off, in pixels.
    """
    task = inferencer.task
    boxes = 'image' if box is None else np.array([box], np.float32)
    expected = values_of(inferencer(image, boxes, crops=box is not None and task != 'pose')[0])
    found = model(image, box)
    assert found.shape == expected.shape
    if task == 'pose':
        np.testing.assert_allclose(found[:, 2], expected[:, 2], rtol=1e-3, atol=1e-4)
        return np.abs(found[:, :2] - expected[:, :2]).max(axis=1)
    if task == 'seg':
        assert (found == expected).mean() >= 0.999
    else:
        np.testing.assert_allclose(found, expected, atol=2e-4 * np.nanmax(np.abs(expected)))
    return None


@pytest.mark.slow
@pytest.mark.parametrize('task', ['seg', 'normal'])
def test_trained_maps_on_photos(task, samples, tmp_path):
    inferencer = find_task(task).load()(load_model(BOX_MODEL, device='cpu', task=task))
    model = open_bundle(inferencer, tmp_path)
    for photo, box in people(samples):
        compare(inferencer, model, read_image(photo), box)
        compare(inferencer, model, read_image(photo))


@pytest.mark.slow
def test_trained_keypoints_on_photos(samples, tmp_path):
    """The box model's keypoint head in the model whose input is warped, and with the mirrored image."""
    config = Config.fromfile(str(find_config('sapiens_tiny/pose_synthetic')))
    config.model.backbone.type = 'sapiens_pretrain.ConvStemViT'
    config.model.head.update(deconv_out_channels=(64, 64), conv_out_channels=(64,))
    config.model.test_cfg.flip_test = True
    weights = tmp_path / 'pose.pth'
    tensors = read_checkpoint(find_weights(BOX_MODEL)).state_dict
    torch.save({'state_dict': task_tensors(tensors, 'pose')}, weights)
    inferencer = find_task('pose').load()(config, weights, device='cpu', dtype='float32')
    model = open_bundle(inferencer, tmp_path / 'bundle')
    for photo, box in people(samples):
        assert compare(inferencer, model, read_image(photo), box).max() < 0.01
    assert compare(inferencer, model, read_image(photo)).max() < 0.01


@pytest.mark.parametrize('task', ['depth', 'seg'])
def test_first_generation(task, small_config, small_checkpoint, photo, tmp_path):
    inferencer = find_task(task).load()(
        small_config(task), small_checkpoint(task), device='cpu', dtype='float32'
    )
    model = open_bundle(inferencer, tmp_path)
    compare(inferencer, model, photo())
    compare(inferencer, model, photo(1, 200, 160), [40, 30, 90.5, 150])


@pytest.mark.slow
@pytest.mark.parametrize('task', ['pose', 'seg', 'normal', 'pointmap', 'albedo', 'matting'])
def test_second_generation(task, photo, tmp_path):
    config = Config.fromfile(str(find_config(f'sapiens2_tiny/{task}_synthetic')))
    config.model.backbone.arch = {
        **dict(embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=64),
        'num_tokenizer_layers': 1,
    }
    head = config.model.get('head') or config.model.decode_head
    head.in_channels = 32
    built = build_model(config)
    generator = torch.Generator().manual_seed(1)
    for parameter in built.parameters():
        parameter.data.normal_(0, 0.15, generator=generator)
    torch.save({'state_dict': built.state_dict()}, tmp_path / 'random.pth')
    inferencer = find_task(task).load()(
        config, tmp_path / 'random.pth', device='cpu', dtype='float32'
    )
    model = open_bundle(inferencer, tmp_path / 'bundle')
    box = None if task == 'pointmap' else [40, 30, 90.5, 150]
    moved = compare(inferencer, model, photo(1, 200, 160), box)
    if task == 'pose':  # the maps of random weights are ill-conditioned here and there
        assert np.median(moved) < 1e-3 and (moved < 0.01).mean() > 0.9
    compare(inferencer, model, photo(2, 40, 70))
    assert model.facts['model']['opset'] == 18 and model.facts['model']['made_with']['onnxruntime']


def test_the_program_alone(small_config, small_checkpoint, photo, tmp_path, root):
    """Another process, in the bundle's folder, with nothing of the suite on its path."""
    inferencer = find_task('pose').load()(
        small_config('pose'),
        small_checkpoint('pose'),
        device='cpu',
        dtype='float32',
        flip_test=False,
    )
    open_bundle(inferencer, tmp_path)
    program = (tmp_path / 'run.py').read_text()
    assert 'import sapiens' not in program and 'torch' not in program
    cv2.imwrite(str(tmp_path / 'photo.png'), photo())
    box = [8.0, 5.0, 41.5, 44.0]
    command = [sys.executable, '-I', 'run.py', 'photo.png', '--box', *map(str, box)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / 'result.json').read_text())
    expected = inferencer(photo(), np.array([box]))[0]
    assert list(found) == expected.names
    scores = [point[2] for point in found.values()]
    np.testing.assert_allclose(scores, expected.scores[0], atol=1e-3)
    done = subprocess.run(
        [*command[:3], 'bundle.json'], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2 and 'is not an image that OpenCV reads' in done.stderr


@pytest.mark.parametrize(
    ('name', 'file', 'licence'),
    [
        ('my.py', 'sapiens_1b_goliath_best_goliath_AP_639.pth', 'CC BY-NC 4.0'),
        ('sapiens2_1b/pose', 'file.pth', 'Sapiens2 License'),
        (BOX_MODEL, 'x.safetensors', 'Apache-2.0'),
        ('my.py', 'best.pth', 'not known for best.pth; ask who trained it'),
    ],
)
def test_the_licence_follows_the_published_name(name, file, licence):
    loaded = SimpleNamespace(name=name, weights=Path(file))
    assert licence_of(loaded).startswith(licence)
