# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image


@pytest.fixture(autouse=True)
def _mmseg_scope():
    """Upstream names without a prefix are MMSegmentation's, as in the recipes."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


@pytest.fixture
def write_pair():
    """Writer of an image and its label PNG: `write_pair(root, stem, labels, ...)`."""

    def write(root, stem, labels, image='images', label='segmentations', suffix='.png', ext='.jpg'):
        labels = np.asarray(labels, np.uint8)
        (root / image).mkdir(parents=True, exist_ok=True)
        (root / label).mkdir(parents=True, exist_ok=True)
        # one colour per label value, so that a model can learn it
        value = labels.astype(int)
        picture = (np.stack([value * 9, 255 - value * 8, value * 37], -1) % 256).astype(np.uint8)
        cv2.imwrite(str(root / image / f'{stem}{ext}'), picture)
        Image.fromarray(labels).save(root / label / f'{stem}{suffix}')

    return write


@pytest.fixture
def labelled():
    """Maker of data samples from a label tensor (B, H, W)."""

    def make(labels):
        samples = []
        for label in labels:
            sample = SegDataSample(metainfo={'img_shape': label.shape, 'ori_shape': label.shape})
            sample.gt_sem_seg = PixelData(data=label[None])
            samples.append(sample)
        return samples

    return make
