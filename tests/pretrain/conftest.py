# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]

_SPEC = importlib.util.spec_from_file_location('mae_job', Path(__file__).with_name('mae_job.py'))
_JOB = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_JOB)


@pytest.fixture(scope='session')
def mae_job():
    """The module of the small pretraining run."""
    return _JOB


@pytest.fixture(scope='session')
def pictures(tmp_path_factory):
    """A folder of 13 small, different JPEG images."""
    folder = tmp_path_factory.mktemp('pictures')
    random = np.random.default_rng(0)
    for index in range(13):
        coarse = random.integers(0, 256, (6, 5, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((100, 120), Image.Resampling.BICUBIC)
        image.save(folder / f'{index:02d}.jpg', quality=95)
    return folder


@pytest.fixture(autouse=True)
def _fast(monkeypatch, _few_threads):
    # Tiny operations gain nothing from a second thread, and wait for it on a busy machine.
    torch.set_num_threads(1)
    # mmengine's report in the log starts compilers to ask their versions: a second per runner.
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    # Durability against power failures cannot be tested here, and costs a lot on a busy disk.
    monkeypatch.setattr('os.fsync', lambda handle: None)


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory):
    """A small full MAE checkpoint with 64 x 64 images, and its config."""
    config = Config.fromfile(ROOT / 'configs/pretrain/sapiens_tiny_images.py')
    config.model.backbone.img_size = config.model.neck.img_size = (64, 64)
    config.model.neck.decoder_depth = 1
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    folder = tmp_path_factory.mktemp('checkpoint')
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, folder / 'mae.pth')
    config.dump(folder / 'config.py')
    return folder / 'mae.pth'
