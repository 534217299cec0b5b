# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from sapiens_common.layouts.body_parts import BODY_PART_SWAP_PAIRS

SIZE = (64, 48)


@pytest.fixture(scope='module')
def config(root):
    config = Config.fromfile(root / 'configs/multitask/sapiens_tiny_synthetic.py')
    config.model.backbone.img_size = config.model.data_preprocessor.size = SIZE
    config.model.tasks.pose.head.decoder.update(
        input_size=SIZE[::-1], heatmap_size=(12, 16), sigma=1
    )
    for loader in (config.train_dataloader, config.test_dataloader):
        for step in loader.dataset.pipeline:
            if 'size' in step:
                step.size = SIZE
    return config


@pytest.fixture(scope='module')
def model(config):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config.model)
    # Normalised and random enough that outputs differ between pixels.
    for name, weight in model.named_parameters():
        if 'conv_seg' in name or 'final_layer' in name:
            torch.nn.init.normal_(weight, std=0.3)
    return model


@pytest.fixture(scope='module')
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp('multitask') / 'multitask.pth'
    torch.save({'state_dict': model.state_dict()}, path)
    return path


@pytest.fixture(scope='session')
def sample_of():
    """`sample_of(seed)`: arrays as ``LoadMaps`` leaves them, of a made-up person."""

    def make(seed=0):
        random = np.random.default_rng(seed)
        normal = random.normal(size=(80, 50, 3)).astype(np.float32)
        points = random.uniform(2, 45, (1, 308, 2)).astype(np.float32)
        return dict(
            img=random.integers(0, 255, (80, 50, 3)).astype(np.uint8),
            img_path='a.png',
            ori_shape=(80, 50),
            mask=np.ones((80, 50), np.uint8),
            gt_depth_map=random.random((80, 50)).astype(np.float32),
            gt_normal_map=normal / np.linalg.norm(normal, axis=-1, keepdims=True),
            gt_seg_map=random.integers(0, 28, (80, 50)).astype(np.uint8),
            gt_alpha_map=random.random((80, 50)).astype(np.float32).round(),
            swap_pairs=BODY_PART_SWAP_PAIRS,
            keypoints=points,
            keypoints_visible=np.ones((1, 308), np.float32),
            flip_indices=np.roll(np.arange(308), 1),
        )

    return make
