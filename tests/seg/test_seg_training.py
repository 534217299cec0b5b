# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From label files to a measured mIoU by the real commands, and the check of classes before a run."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.apis import inference_model, init_model
from mmseg.registry import MODELS
from runs import launch

from sapiens_seg.engine import ClassCheckHook
from sapiens_seg.models import BodyPartTTAModel

# A model that learns in seconds: two blocks on 64 x 48 pixels.
CONFIG = """
_base_ = ['{root}/configs/seg/sapiens_tiny_synthetic.py']
model = dict(
    backbone=dict(
        arch=dict(embed_dims=48, num_layers=2, num_heads=2, feedforward_channels=96, _delete_=True),
        img_size=(64, 48)),
    decode_head=dict(in_channels=48, deconv_out_channels=(32, 32), conv_out_channels=(32, )))
load = [dict(type='sapiens_common.LoadPhoto'), dict(type='sapiens_seg.LoadLabels')]
pack = dict(type='PackSegInputs')
resize = dict(type='Resize', scale=(48, 64), keep_ratio=False)
train_pipeline = [*load, resize, dict(type='sapiens_seg.SwapFlip', prob=0.5), pack]
test_pipeline = [load[0], resize, load[1], pack]
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
tta_pipeline = [
    load[0],
    dict(type='TestTimeAug', transforms=[
        [resize],
        [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
        [load[1]],
        [pack]])]
optim_wrapper = dict(
    optimizer=dict(lr=5e-3),
    paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=1.0))))
train_cfg = dict(max_epochs=40, val_interval=40)
default_hooks = dict(checkpoint=dict(interval=40))
param_scheduler = [dict(type='LinearLR', start_factor=0.1, end=10, by_epoch=False)]
"""


def write_people(root, write_pair):
    """Eight pictures of three parts on whole patches; left and right differ in colour."""
    random = np.random.RandomState(0)
    for index in range(8):
        labels = np.zeros((64, 48), np.uint8)
        labels[16:32, 16:32] = 22
        labels[32:48, :16], labels[32:48, 32:] = 4, 13
        write_pair(root, str(index), np.roll(labels, 16 * random.randint(3), 0), ext='.png')
    for split in ('train', 'val'):
        (root / f'{split}.txt').write_text('\n'.join(map(str, range(8))))


@pytest.fixture
def config_path(root, tmp_path, write_pair):
    write_people(tmp_path / 'data', write_pair)
    path = tmp_path / 'run.py'
    path.write_text(CONFIG.format(root=root))
    return path


@pytest.mark.slow
def test_train_and_test_commands(root, tmp_path, config_path):
    """Two processes train; tools/test.py measures what the last validation did, and runs with TTA."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'SAPIENS_PYTHON': sys.executable}
    data = {'data_root': str(tmp_path / 'data')}
    options = ['--work-dir', tmp_path / 'work', '--cfg-options', f'data_root={data["data_root"]}']

    def run(*command):
        done = subprocess.run(
            [str(part) for part in command], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    run('bash', root / 'tools/dist_train.sh', config_path, 2, *options)
    log = next((tmp_path / 'work').glob('*/vis_data/scalars.json')).read_text().splitlines()
    trained = json.loads(log[-1])
    assert trained['mIoU'] > 55
    checkpoint = next((tmp_path / 'work').glob('best_mIoU*.pth'))
    printed = run(sys.executable, root / 'tools/test.py', config_path, checkpoint, *options)
    assert f'mIoU: {trained["mIoU"]:.4f}' in printed and 'mAcc' in printed
    assert re.search(r'\| +Left_Foot +\| +\d', printed)  # the table per class
    [table] = (tmp_path / 'work').glob('*/classes.json')
    found = [row['IoU'] for row in json.loads(table.read_text()) if row['IoU'] is not None]
    assert sum(found) / len(found) == pytest.approx(trained['mIoU'], abs=0.01)

    config = launch.load_config(str(config_path), str(tmp_path / 'tta'), 'none', data)
    launch.set_checkpoint(config, str(checkpoint))
    launch.enable_tta(config)
    # Mirrored views that voted for the wrong side would halve the paired classes.
    assert launch.build_runner(config).test()['mIoU'] > trained['mIoU'] - 3


def test_several_scales_and_mirror_images_are_averaged(config_path, tmp_path, monkeypatch):
    """tools/test.py --tta on a random model: what matters is that each view takes part."""
    data = {'data_root': str(tmp_path / 'data'), 'test_dataloader.dataset.indices': 2}
    config = launch.load_config(str(config_path), str(tmp_path / 'tta'), 'none', data)
    config.test_dataloader.batch_size = 2
    config.tta_pipeline[1].transforms[0] = [
        {'type': 'Resize', 'scale': (48 * times, 64 * times), 'keep_ratio': False}
        for times in (1, 2)
    ]
    launch.enable_tta(config)
    views = []
    merge = BodyPartTTAModel.merge_preds

    def spy(self, samples):
        views.extend((view.img_shape, view.flip) for view in samples[0])
        return merge(self, samples)

    monkeypatch.setattr(BodyPartTTAModel, 'merge_preds', spy)
    assert 0 <= launch.build_runner(config).test()['mIoU'] <= 100
    assert views == [(size, flip) for size in ((64, 48), (128, 96)) for flip in (False, True)]


def test_upstreams_own_api_predicts(config_path, photo):
    """mmseg.apis works on our recipes: readers of labels stand aside where there are none."""
    model = init_model(str(config_path), device='cpu')
    result = inference_model(model, photo)
    assert result.pred_sem_seg.data.shape == (1, 90, 70)


@pytest.fixture
def photo():
    return np.random.RandomState(0).randint(0, 255, (90, 70, 3), np.uint8)


def test_class_check_names_both_numbers(config_path):
    config = Config.fromfile(config_path)
    model = MODELS.build(config.model)
    runner = SimpleNamespace(
        model=MODELS.build({**config.tta_model, 'module': config.model}),
        test_dataloader=SimpleNamespace(
            dataset=SimpleNamespace(metainfo={'classes': ('bg', 'a', 'b')})
        ),
    )
    message = r'test_dataloader has 3 classes \(bg ... b\), the head has num_classes=28'
    with pytest.raises(ValueError, match=message):
        ClassCheckHook().before_test(runner)
    runner = SimpleNamespace(model=model)
    for split in ('train', 'val'):
        loader = SimpleNamespace(dataset=SimpleNamespace(metainfo={'classes': tuple(range(28))}))
        setattr(runner, f'{split}_dataloader', loader)
        getattr(ClassCheckHook(), f'before_{split}')(runner)
