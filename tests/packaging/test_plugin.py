# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Both encoders are found by their prefix in unmodified upstream models, whoever is imported first."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # eight processes that load upstream's libraries

BACKBONES = [
    dict(type='sapiens_pretrain.SapiensViT', img_size=(64, 48), drop_path_rate=0.1, arch='tiny'),
    dict(type='sapiens_pretrain.Sapiens2ViT', img_size=(64, 48), arch='tiny'),
]
MODELS = {
    'mmpose': """
import mmpose.models
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from mmengine.structures import InstanceData
model = MODELS.build(dict(type='TopdownPoseEstimator', data_preprocessor=dict(type='PoseDataPreprocessor'),
    backbone=BACKBONE,
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
    'mmseg': """
import mmseg.models
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmengine.structures import PixelData
model = MODELS.build(dict(type='EncoderDecoder', data_preprocessor=dict(type='SegDataPreProcessor', size=(64, 48)),
    backbone=BACKBONE,
    decode_head=dict(type='FCNHead', in_channels=192, in_index=0, channels=16, num_classes=3, num_convs=1,
        norm_cfg=dict(type='BN'), loss_decode=dict(type='CrossEntropyLoss')),
    train_cfg=dict(), test_cfg=ConfigDict(mode='whole')))
sample = SegDataSample(metainfo=dict(ori_shape=(64, 48), img_shape=(64, 48)))
sample.gt_sem_seg = PixelData(data=torch.randint(0, 3, (1, 64, 48)))
samples = [sample]
predicted = lambda results: results[0].pred_sem_seg.shape == (64, 48)
""",
    'mmpretrain': """
import mmpretrain.models
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
model = MODELS.build(dict(type='ImageClassifier', data_preprocessor=dict(type='ClsDataPreprocessor'),
    backbone={**BACKBONE, 'out_type': 'avg_featmap'},
    head=dict(type='LinearClsHead', num_classes=5, in_channels=192)))
samples = [DataSample().set_gt_label(1)]
predicted = lambda results: results[0].pred_score.shape == (5,)
""",
    # A detector of one feature map, as a plain encoder has.
    'mmdet': """
import mmdet.models
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
model = MODELS.build(dict(type='YOLOF', data_preprocessor=dict(type='DetDataPreprocessor'), backbone=BACKBONE,
    neck=dict(type='DilatedEncoder', in_channels=192, out_channels=32, block_mid_channels=8, num_residual_blocks=1,
        block_dilations=[2]),
    bbox_head=dict(type='YOLOFHead', num_classes=3, in_channels=32, reg_decoded_bbox=True,
        anchor_generator=dict(type='AnchorGenerator', ratios=[1.0], scales=[1, 2, 4], strides=[16]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.] * 4, target_stds=[1.] * 4, add_ctr_clamp=True,
            ctr_clamp=32),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True), loss_bbox=dict(type='GIoULoss')),
    train_cfg=ConfigDict(assigner=dict(type='UniformAssigner', pos_ignore_thr=0.15, neg_ignore_thr=0.7),
        allowed_border=-1, pos_weight=-1, debug=False),
    test_cfg=ConfigDict(nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.6),
        max_per_img=10)))
sample = DetDataSample(metainfo=dict(img_shape=(64, 48), ori_shape=(64, 48), pad_shape=(64, 48),
    batch_input_shape=(64, 48), scale_factor=(1.0, 1.0)))
sample.gt_instances = InstanceData(bboxes=torch.tensor([[8., 8., 40., 56.]]), labels=torch.tensor([1]))
samples = [sample]
predicted = lambda results: results[0].pred_instances.bboxes.shape[1] == 4
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
before = model.backbone.patch_embed.projection.weight.clone()
model.train()
model.train_step(data(), OptimWrapper(SGD(model.parameters(), lr=1.0)))
assert not torch.equal(before, model.backbone.patch_embed.projection.weight)
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
    once = f'for BACKBONE in {BACKBONES!r}:\n    exec({MODELS[library] + STEP!r})'
    code = '\n'.join(['import torch', f'NAME = {library!r}', *lines, scope, once])
    paths = ':'.join(str(root / folder) for folder in ('common', 'pretrain'))
    result = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env={'PYTHONPATH': paths, 'PATH': '/usr/bin:/bin', 'NO_ALBUMENTATIONS_UPDATE': '1'},
        cwd=root / 'tests',
    )
    done = result.stdout.count('trained and predicted')
    assert done == len(BACKBONES), result.stderr[-3000:]
