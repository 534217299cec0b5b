# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A checkpoint whose metadata holds pieces of a config, as other runners write it, is read everywhere."""

from collections import OrderedDict, defaultdict

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import _load_checkpoint

from sapiens_common.checkpoint import load_encoder, read_checkpoint
from sapiens_inference.engine.models import build_model, load_model
from sapiens_inference.guess import guess_config
from sapiens_inference.outputs.export import convert_checkpoint
from sapiens_train.checkpoint_files import read_progress
from sapiens_train.runner import SapiensRunner

TASKS = ['pose', 'seg', 'depth', 'normal']


@pytest.fixture
def foreign(small_model, tmp_path):
    """`foreign(task)`: a checkpoint as a runner with 308 keypoints writes it."""

    def write(task, shrink=True):
        mapping = ConfigDict({'keypoint_info': {0: {'name': 'nose', 'swap': ''}}})
        meta = {
            'epoch': 3,
            'iter': 30,
            'cfg': 'model = dict()',
            'dataset_meta': {
                'dataset_name': task,
                'sigmas': np.full(3, 0.05, np.float32),
                'teeth': ConfigDict(a=[ConfigDict(b=1)]),
                'mapping': mapping,
                'names': OrderedDict(a=1),
                'counts': defaultdict(int, {'a': 2}),
                'palette': np.zeros((2, 3), np.uint8),
                'AP': np.float64(0.5),
            },
        }
        content = {
            'state_dict': small_model(task, shrink=shrink).state_dict(),
            'meta': meta,
            'message_hub': {'log_scalars': OrderedDict(loss=HistoryBuffer([1.0], [1]))},
            'optimizer': {
                'state': {0: {'step': torch.tensor(3.0)}},
                'param_groups': [{'lr': 1e-4}],
            },
        }
        torch.save(content, tmp_path / f'{task}.pth')
        return tmp_path / f'{task}.pth'

    return write


@pytest.mark.parametrize('task', TASKS)
def test_inferencer_encoder_and_conversion(foreign, small_config, tmp_path, task):
    path = foreign(task)
    loaded = load_model(small_config(task), path, device='cpu')
    assert loaded.meta['dataset_meta']['teeth'].a[0].b == 1
    encoder = build_model(small_config(task)).backbone
    load_encoder(encoder, path)
    weight = read_checkpoint(path).state_dict['backbone.layers.1.ln2.weight']
    assert torch.equal(encoder.layers[1].ln2.weight, weight)
    assert read_progress(path) == (30, 3)
    for suffix in ('.safetensors', '.pth'):
        target = tmp_path / f'converted_{task}{suffix}'
        convert_checkpoint(path, target)
        load_model(small_config(task), target, device='cpu')
    path = foreign(task, shrink=False)
    tensors = read_checkpoint(path).state_dict
    assert guess_config(str(path), task, tensors).name.startswith('sapiens_tiny')


@pytest.mark.parametrize('task', TASKS)
def test_upstreams_reader(foreign, task):
    content = _load_checkpoint(str(foreign(task)), map_location='cpu')
    assert content['meta']['dataset_meta']['mapping'].keypoint_info[0].name == 'nose'


def test_upstreams_init_model(foreign, small_config, tmp_path):
    mmpose = pytest.importorskip('mmpose.apis')
    small_config('pose').dump(tmp_path / 'pose.py')
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = mmpose.init_model(str(tmp_path / 'pose.py'), str(foreign('pose')), device='cpu')
    assert model.dataset_meta['mapping'].keypoint_info[0].name == 'nose'


def test_runner(foreign, small_config, tmp_path):
    """What ``load_from`` and tools/test.py do."""
    runner = SapiensRunner(
        model=small_config('pose').model,
        work_dir=str(tmp_path / 'work'),
        load_from=str(foreign('pose')),
        default_scope='mmpose',
        experiment_name='foreign_metadata',
    )
    runner.load_or_resume()
    assert runner._loaded_meta['epoch'] == 3
