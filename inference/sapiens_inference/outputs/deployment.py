# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What a program without this suite must know of an exported model: how its input is made, what its maps mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

KEY = 'deployment'
"""Name of the JSON text in exported files: ONNX metadata, or an extra file ``deployment.json``."""
EXTRA_FILE = f'{KEY}.json'

_STRETCH = {
    'Resize': 'linear',
    'ResizeImage': 'linear',
    'Stretch': 'area if the width shrinks, else cubic',
}


def describe_deployment(
    config: Config, size: tuple[int, int], names: Sequence[str] = ()
) -> dict[str, Any]:
    """Everything between a BGR photo and the maps of the model, and between the maps and a result.

    docs/inference.md explains the entries with a script that uses them.

    Args:
        config: Of the model.
        size: (height, width) of the exported input.
        names: Of the keypoints or classes, where the model has any.

    Returns:
        JSON-serialisable content: ``task``, ``input``, ``geometry``, ``output``, ``names``.

    Raises:
        ValueError: The test pipeline has no step that makes the input.
    """
    normalise = config.model.data_preprocessor
    steps = {step['type'].rsplit('.', 1)[-1]: step for step in _test_steps(config)}
    height, width = size
    return {
        'task': task_of(config),
        'input': {
            'shape': ['batch', 3, height, width],
            'colours': 'RGB' if normalise.get('bgr_to_rgb') else 'BGR',
            'mean': list(normalise.mean),
            'std': list(normalise.std),
        },
        'geometry': _geometry(steps),
        'output': _output(config),
        'names': list(names),
    }


def task_of(config: Config) -> str:
    """Name of the task of a config's model.

    Raises:
        ValueError: The model has several tasks, or none.
    """
    model = config.model
    if 'head' in model:
        return 'pose'
    if 'decode_head' not in model:
        raise ValueError(
            f'{config.filename}: the model has neither head nor decode_head; export the tasks of a '
            'multitask model one by one'
        )
    return model.decode_head.get('target', 'seg')


def _test_steps(config: Config) -> list[Any]:
    dataset = config.test_dataloader.dataset
    return dataset.get('pipeline') or config.test_pipeline


def _geometry(steps: dict[str, Any]) -> dict[str, Any]:
    """How a photo, or a person's box, becomes the input."""
    for name in ('TopdownAffine', 'DecodeTopdownAffine'):
        if name in steps:
            enlarging = 'cubic' if steps[name].get('cubic') else 'linear'
            return {
                'kind': 'box',
                'box_growth': steps['GetBBoxCenterScale'].get('padding', 1.25),
                'scaling': '(size - 1) / box' if steps[name].get('use_udp') else 'size / box',
                'interpolation': {'shrinking': 'linear', 'enlarging': enlarging},
                'outside': 0,
            }
    if 'FitImage' in steps:
        return {'kind': 'fit', 'interpolation': 'linear', 'rounding': 'down', 'outside': 0}
    found = next((name for name in _STRETCH if name in steps), None)
    if found is None:
        raise ValueError(
            f'no step of the test pipeline is known to make the input; its steps: {list(steps)}'
        )
    return {'kind': 'stretch', 'interpolation': _STRETCH[found]}


def _output(config: Config) -> dict[str, Any]:
    """What the raw maps are, and how they become a result."""
    task = task_of(config)
    if task == 'pose':
        decoder = config.model.head.decoder
        width, height = decoder.heatmap_size
        test = config.model.get('test_cfg') or {}
        return {
            'kind': 'heatmaps',
            'shape': ['batch', 'keypoints', height, width],
            'decoding': 'DARK, unbiased',
            'blur_taps': decoder.get('blur_kernel_size', 11),
            'clip': [1e-3, 50.0],
            'scaling': '(size - 1)',
            'mirror_and_average': bool(test.get('flip_test')),
        }
    kind = {'seg': 'logits', 'normal': 'normals before normalisation'}.get(task, task)
    return {
        'kind': kind,
        'shape': ['batch', 'channels', 'height', 'width'],
        'resizing': 'linear, to the input, without what was padded, and then to the image',
    }


def read_deployment(path: str | Path) -> dict[str, Any]:
    """The description in an exported file; empty where it has none. No code of the file runs.

    Raises:
        ValueError: The file is not an export.
    """
    path = Path(path)
    if path.suffix == '.onnx':
        import onnx

        found = {
            entry.key: entry.value
            for entry in onnx.load(path, load_external_data=False).metadata_props
        }
        return json.loads(found.get(KEY, '{}'))
    reader = torch._C.PyTorchFileReader(str(path))
    name = f'extra/{EXTRA_FILE}'
    return json.loads(reader.get_record(name)) if name in reader.get_all_records() else {}
