# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The main job on real photos: train with two processes, stop, resume, test, draw."""

import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
from mmengine.fileio import load

from sapiens_common.layouts.style import metainfo_style
from sapiens_common.visualization import draw_people
from sapiens_pose.layouts import keypoint_names, layout_metainfo

# The shipped leaf at an eighth of the published input, without augmentation, so that four photos can be
# learnt by heart within a minute. What was never seen mirrored is not tested mirrored.
CONFIG = """
_base_ = ['{leaf}']
codec = dict(input_size=(96, 128), heatmap_size=(24, 32), sigma={sigma})
model = dict(backbone=dict(img_size=(128, 96)), head=dict(decoder=codec), test_cfg=dict(flip_test=False))

augmentation = ('RandomFlip', 'RandomHalfBody', 'RandomBBoxTransform', 'ColourDistortion', 'SeededAlbumentation')
train_pipeline = [s for s in _base_.train_pipeline if s['type'].split('.')[-1] not in augmentation]
val_pipeline = _base_.val_pipeline
for step in (*train_pipeline, *val_pipeline):
    if 'input_size' in step:
        step['input_size'] = codec['input_size']
    if 'codec' in step:
        step['codec'].update(codec)
del step

data = dict(data_root='{photos}', ann_file='{annotations}', data_prefix=dict(img=''))
loader = dict(num_workers=0, persistent_workers=False, batch_size=6)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **data), **loader)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline, bbox_file=None, **data), **loader)
test_dataloader = val_dataloader

train_cfg = dict(max_epochs={epochs}, val_interval={epochs})
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', begin=0, end=10, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max={epochs}, end={epochs}, by_epoch=True)]
default_hooks = dict(checkpoint=dict(interval={epochs} // 2), logger=dict(interval=1))
"""


def run(command, **env):
    result = subprocess.run(
        list(map(str, command)),
        env={**os.environ, 'SAPIENS_PYTHON': sys.executable, 'OMP_NUM_THREADS': '1', **env},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout + result.stderr


def trained_epochs(log):
    """Epochs that a log reports, in order."""
    return [int(epoch) for epoch in re.findall(r'Epoch\(train\)\s+\[(\d+)\]', log)]


def draw(predictions, layout, folder):
    """Predicted skeletons of all people on their photos; the number of photos."""
    meta = layout_metainfo(layout)
    style = metainfo_style(meta, keypoint_names(layout))
    people = {}
    for prediction in predictions:
        people.setdefault(prediction['img_path'], []).append(prediction['pred_instances'])
    for path, instances in people.items():
        photo = cv2.imread(path)
        keypoints, scores, boxes = (
            np.concatenate([one[key] for one in instances])
            for key in ('keypoints', 'keypoint_scores', 'bboxes')
        )
        picture = draw_people(photo, keypoints, scores, boxes, style, threshold=0.2)
        assert (picture != photo).any(axis=2).mean() > 0.002
        cv2.imwrite(str(folder / os.path.basename(path)), picture)
    return len(people)


@pytest.mark.slow
@pytest.mark.parametrize(
    'layout, annotations, prefix, sigma, epochs',  # an epoch is one iteration
    [
        ('coco', 'test_coco.json', 'coco', 2, 160),
        # Hands and faces are judged within a pixel of this input: sharper maps, learnt longer.
        ('coco_wholebody', 'test_coco_wholebody.json', 'coco-wholebody', 1, 400),
    ],
)
def test_train_resume_test_and_draw(
    root, samples, tmp_path, layout, annotations, prefix, sigma, epochs
):
    config = tmp_path / 'config.py'
    config.write_text(
        CONFIG.format(
            leaf=root / f'configs/pose/sapiens_tiny_{layout}.py',
            photos=samples / 'coco',
            annotations=annotations,
            epochs=epochs,
            sigma=sigma,
        )
    )
    train = ['bash', root / 'tools/dist_train.sh', config, 2, '--work-dir', tmp_path / 'train']
    first = run([*train, '--cfg-options', f'train_cfg.max_epochs={epochs // 2}'])
    assert trained_epochs(first) == [*range(1, epochs // 2 + 1)]
    second = run([*train, '--resume'])
    assert trained_epochs(second) == [*range(epochs // 2 + 1, epochs + 1)]

    dump = tmp_path / 'predictions.pkl'
    checkpoint = tmp_path / f'train/epoch_{epochs}.pth'
    test = [sys.executable, root / 'tools/test.py', config, checkpoint, '--out', dump]
    log = run([*test, '--work-dir', tmp_path / 'test'])
    precision = float(re.findall(rf'{prefix}/AP: ([\d.]+)', log)[-1])
    assert precision > 0.9

    pictures = tmp_path / 'pictures'
    pictures.mkdir()
    assert draw(load(dump), layout, pictures) == 4
