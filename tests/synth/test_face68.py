# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The 68 face points on the rendered head, and their weights in the package."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from sapiens_inference.outputs.face68 import WEIGHTS_FILE, infer_face68
from sapiens_pose.layouts import layout_metainfo
from sapiens_synth.face68 import FLIP_68, face68_template, random_faces
from sapiens_synth.skeleton import MIRROR

TOOL = Path(__file__).resolve().parents[2] / 'tools/data/fit_face68.py'
fit_face68 = SimpleNamespace(**runpy.run_path(str(TOOL)))


@pytest.fixture(scope='module')
def faces():
    return random_faces(40, seed=5)


def test_the_template_is_symmetric_as_the_layout_says():
    points = face68_template()
    np.testing.assert_allclose(points[FLIP_68], points * MIRROR, atol=1e-9)
    flips = layout_metainfo('coco_wholebody')['flip_indices']
    np.testing.assert_array_equal(FLIP_68, np.array(flips[23:91]) - 23)
    # The person's right ear comes first, at the height of the eyes; the chin is the lowest point.
    assert points[0, 0] < -0.05 and abs(points[0, 1]) < 0.01
    assert points[:, 1].argmin() == 8 and points[30, 2] == points[:, 2].max()


def test_inferred_points_are_near_and_the_jaw_is_the_weakest(faces):
    weights = load_file(WEIGHTS_FILE)['weights']
    found = fit_face68.errors(weights, *faces, noise=0.0, seed=0)
    assert found['all'] < 0.01 and max(found, key=found.get) == 'jaw' and found['jaw'] < 0.02
    # Against the same weights for a shuffled face nothing is left.
    shuffled = fit_face68.errors(weights[:, ::-1], *faces, noise=0.0, seed=0)
    assert shuffled['all'] > 0.1


def test_a_turned_moved_and_scaled_face_keeps_its_points(faces):
    source, _ = faces
    image = np.full((308, 2), np.nan)
    image[70:] = source[0, :, :2]
    points, scores = infer_face68(image, np.full(308, 0.7))
    turn = 1000 * np.array([[0.6, -0.8], [0.8, 0.6]])
    moved, _ = infer_face68(image @ turn.T + [300, 200], np.ones(308))
    np.testing.assert_allclose(moved, points @ turn.T + [300, 200], atol=1e-2)
    np.testing.assert_allclose(scores, 0.7)


def test_the_fit_is_the_least_squares_with_noise(tmp_path, capsys):
    source, target = random_faces(30, seed=1)
    weights = fit_face68.fit(source, target, noise=1e-3)
    np.testing.assert_allclose(weights.sum(1), 1)

    # Noise drawn instead of put in as a ridge: the mean squared error has its minimum at the same place.
    def cost(w):
        clean = ((w @ source - target) ** 2).sum((0, 2))
        return clean + source.shape[0] * 3 * 1e-6 * ((w - 1 / 238) ** 2).sum(1)

    step = np.random.default_rng(0).normal(0, 1e-3, weights.shape)
    step -= step.mean(1, keepdims=True)
    assert (cost(weights) < cost(weights + step)).all()
    assert (cost(weights) < cost(weights - step)).all()
    assert fit_face68.main(['--faces', '5', '--out', str(tmp_path / 'w.safetensors')]) == 0
    assert 'jaw' in capsys.readouterr().out and (tmp_path / 'w.safetensors').is_file()
