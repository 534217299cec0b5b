# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

_SPEC = importlib.util.spec_from_file_location('mae_job', Path(__file__).with_name('mae_job.py'))
_JOB = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_JOB)


@pytest.fixture
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
