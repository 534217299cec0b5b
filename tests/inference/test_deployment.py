# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Exported files say what a program without the suite must know, and the documented program proves it."""

import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from sapiens_inference.outputs.deployment import describe_deployment, read_deployment
from sapiens_inference.outputs.export import FORMATS, export_model
from sapiens_pose.apis import PoseInferencer

SIZE = (64, 48)
BOX = [8.0, 5.0, 41.5, 44.0]


@pytest.mark.parametrize('kind', FORMATS)
def test_every_format_carries_the_description(kind, small_config, small_model, tmp_path):
    facts = describe_deployment(small_config('seg'), SIZE, ['background', 'face'])
    path = tmp_path / f'seg{FORMATS[kind] if kind != "onnx" else ".onnx"}'
    export_model(small_model('seg'), path, kind, SIZE, deployment=facts)
    assert read_deployment(path) == json.loads(json.dumps(facts))
    assert facts['task'] == 'seg' and facts['geometry']['kind'] == 'stretch'
    assert facts['input']['mean'] == [123.675, 116.28, 103.53]


def test_the_description_follows_the_config(small_config):
    config = small_config('pose')
    facts = describe_deployment(config, SIZE)
    assert facts['geometry']['box_growth'] == 1.25 and facts['output']['blur_taps'] == 11
    assert facts['output']['shape'][2:] == [16, 12] and facts['output']['mirror_and_average']
    for step in config.test_dataloader.dataset.pipeline:
        if step.type.endswith('GetBBoxCenterScale'):
            step.padding = 1.4
    config.model.head.decoder.blur_kernel_size = 17
    facts = describe_deployment(config, SIZE)
    assert facts['geometry']['box_growth'] == 1.4 and facts['output']['blur_taps'] == 17
    config.test_dataloader.dataset.pipeline = [dict(type='Unknown')]
    with pytest.raises(ValueError, match=r"known to make the input; its steps: \['Unknown'\]"):
        describe_deployment(config, SIZE)
    config.model.pop('head')
    with pytest.raises(ValueError, match='neither head nor decode_head'):
        describe_deployment(config, SIZE)


def test_the_documented_program_gives_the_suites_keypoints(
    small_config, small_checkpoint, photo, tmp_path, root
):
    pose = PoseInferencer(
        small_config('pose'), small_checkpoint('pose'), device='cpu', flip_test=False
    )
    cv2.imwrite(str(tmp_path / 'photo.png'), photo())
    expected = pose(tmp_path / 'photo.png', np.array(BOX))[0]
    facts = describe_deployment(pose.loaded.config, SIZE, expected.names)
    export_model(pose.loaded.model, tmp_path / 'pose.onnx', 'onnx', SIZE, deployment=facts)
    text = (root / 'docs/inference.md').read_text()
    script = re.search(r'<!-- deployment script -->\n```python\n(.*?)```', text, re.DOTALL)[1]
    assert 'sapiens' not in script  # it needs nothing of the suite
    (tmp_path / 'program.py').write_text(script)
    arguments = ['pose.onnx', 'photo.png', *map(str, BOX)]
    done = subprocess.run(
        [sys.executable, 'program.py', *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == expected.names
    values = np.array(list(found.values()))
    np.testing.assert_allclose(values[:, 2], expected.scores[0], rtol=1e-4, atol=1e-5)
    # The maps of random weights are ill-conditioned here and there.
    moved = np.abs(values[:, :2] - expected.keypoints[0]).max(axis=1)
    assert np.median(moved) < 1e-3 and (moved < 0.05).mean() > 0.95
