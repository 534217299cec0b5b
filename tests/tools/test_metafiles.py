# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The metafiles say what the table of published weights says."""

import subprocess
import sys

import yaml

from sapiens_common.weights import lookup, published_names


def test_they_are_up_to_date(root):
    command = [sys.executable, str(root / 'tools/convert/metafiles.py'), '--check']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_model_has_its_config_and_its_file(root):
    index = yaml.safe_load((root / 'model-index.yml').read_text())['Import']
    models = [
        model for name in index for model in yaml.safe_load((root / name).read_text())['Models']
    ]
    assert all((root / model['Config']).is_file() for model in models)
    names = {model['Name']: model for model in models}
    assert len(names) == len(models)
    wanted = [name for name in published_names() if not lookup(name).carried]
    missing = [name for name in wanted if name.replace('/', '_') not in names]
    assert missing == ['rtmdet_m/det_person']  # a model of MMDetection's own
    entry = lookup('sapiens2_1b/matting')
    assert names['sapiens2_1b_matting']['Weights'].endswith(
        f'{entry.repo}/resolve/main/{entry.file}'
    )
