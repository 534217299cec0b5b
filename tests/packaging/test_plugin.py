# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The encoder is found by its prefix in unmodified upstream models, whoever is imported first."""

import subprocess
import sys

import pytest

BACKBONE = (
    "dict(type='sapiens_pretrain.SapiensViT', arch='tiny', img_size=(64, 48), drop_path_rate=0.1)"
)
MODELS = {
    'mmpose': f"""
import mmpose.models
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from mmengine.structures import InstanceData
model = MODELS.build(dict(type='TopdownPoseEstimator', data_preprocessor=dict(type='PoseDataPreprocessor'),
    backbone={BACKBONE},
    head=dict(type='HeatmapHead', in_channels=192, out_channels=17, deconv_out_channels=(32, 32),
        deconv_kernel_sizes=(4, 4), loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=dict(type='UDPHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=2))))
import numpy as np
sample = PoseDataSample(metainfo=dict(input_size=(48, 64), input_center=np.array([24., 32.]),
    input_scale=np.array([48., 64.]), flip_indices=list(range(17))))
sample.gt_instances = InstanceData(bboxes=np.array([[0., 0., 48., 64.]]), bbox_scores=np.ones(1))
sample.gt_instance_labels = InstanceData(keypoint_weights=torch.ones(1, 17))
from mmengine.structures import PixelData
sample.gt_fields = PixelData(heatmaps=torch.rand(17, 16, 12))
samples = [sample]
predicted = lambda results: results[0].pred_instances.keypoints.shape == (1, 17, 2)
""",
    'mmseg': f"""
import mmseg.models
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmengine.structures import PixelData
model = MODELS.build(dict(type='EncoderDecoder', data_preprocessor=dict(type='SegDataPreProcessor', size=(64, 48)),
    backbone={BACKBONE},
    decode_head=dict(type='FCNHead', in_channels=192, in_index=0, channels=16, num_classes=3, num_convs=1,
        norm_cfg=dict(type='BN'), loss_decode=dict(type='CrossEntropyLoss')),
    train_cfg=dict(), test_cfg=ConfigDict(mode='whole')))
sample = SegDataSample(metainfo=dict(ori_shape=(64, 48), img_shape=(64, 48)))
sample.gt_sem_seg = PixelData(data=torch.randint(0, 3, (1, 64, 48)))
samples = [sample]
predicted = lambda results: results[0].pred_sem_seg.shape == (64, 48)
""",
    'mmpretrain': f"""
import mmpretrain.models
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
model = MODELS.build(dict(type='ImageClassifier', data_preprocessor=dict(type='ClsDataPreprocessor'),
    backbone={BACKBONE.replace('arch=', "out_type='avg_featmap', arch=")},
    head=dict(type='LinearClsHead', num_classes=5, in_channels=192)))
samples = [DataSample().set_gt_label(1)]
predicted = lambda results: results[0].pred_score.shape == (5,)
""",
}
STEP = """
model.init_weights()
images = [torch.randint(0, 255, (3, 64, 48), dtype=torch.uint8)]
from torch.optim import SGD
from mmengine.optim import OptimWrapper
data = lambda: dict(inputs=list(images), data_samples=samples)
if 'mmpretrain' in NAME:
    data = lambda: dict(inputs=torch.stack(images), data_samples=samples)
before = model.backbone.layers[0].attn.qkv.weight.clone()
model.train()
model.train_step(data(), OptimWrapper(SGD(model.parameters(), lr=1.0)))
assert not torch.equal(before, model.backbone.layers[0].attn.qkv.weight)
model.eval()
with torch.no_grad():
    assert predicted(model.test_step(data()))
print('trained and predicted')
"""


@pytest.mark.parametrize('ours_first', [True, False], ids=['ours_first', 'upstream_first'])
@pytest.mark.parametrize('library', MODELS)
def test_trains_and_predicts_in_an_upstream_model(root, library, ours_first):
    order = ['import sapiens_pretrain.models', f'import {library}']
    lines = order if ours_first else order[::-1]
    if not ours_first:
        lines = lines[:1]  # nothing of ours is imported by hand: the prefix alone must do
    scope = f'from mmengine.registry import init_default_scope; init_default_scope({library!r})'
    code = '\n'.join(['import torch', f'NAME = {library!r}', *lines, scope, MODELS[library], STEP])
    paths = ':'.join(str(root / folder) for folder in ('common', 'pretrain'))
    result = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env={'PYTHONPATH': paths, 'PATH': '/usr/bin:/bin', 'NO_ALBUMENTATIONS_UPDATE': '1'},
        cwd=root / 'tests',
    )
    assert 'trained and predicted' in result.stdout, result.stderr[-3000:]
