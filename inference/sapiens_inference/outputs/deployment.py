# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What a program without this suite must know of an exported model: how its input is made, what its maps mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from sapiens_inference.items import PADDING
from sapiens_inference.outputs.results import Source

KEY = 'deployment'
"""Name of the JSON text in exported files: ONNX metadata, or an extra file ``deployment.json``."""
EXTRA_FILE = f'{KEY}.json'

_STRETCH = {
    'Resize': 'linear',
    'ResizeImage': 'linear',
    'Stretch': 'area if the width shrinks, else cubic',
}


def describe_inferencer(inferencer: Any, size: tuple[int, int]) -> dict[str, Any]:
    """As :func:`describe_deployment`, with the names, colours and mirror pairs that an inferencer knows."""
    empty = inferencer.empty(Source('', 0))
    meta = getattr(inferencer, 'meta', None) or {}
    facts = describe_deployment(
        inferencer.loaded.config,
        size,
        getattr(empty, 'names', ()),
        getattr(empty, 'palette', ()),
        meta.get('flip_indices', ()),
        inferencer.loaded.padded,
    )
    if 'mirror_and_average' in facts['output']:  # which a user may choose otherwise than the config
        facts['output']['mirror_and_average'] = inferencer.choices()['flip_test']
    return facts


def describe_deployment(
    config: Config,
    size: tuple[int, int],
    names: Sequence[str] = (),
    palette: Sequence[Sequence[int]] = (),
    mirrored: Sequence[int] = (),
    padded: bool = False,
) -> dict[str, Any]:
    """Everything between a BGR photo and the maps of the model, and between the maps and a result.

    ``bundle_program.py`` beside this module is the program that reads the entries.

    Args:
        config: The model's config.
        size: (height, width) of the exported input.
        names: Names of the keypoints or classes, where the model has any.
        palette: Colour of each class, red first.
        mirrored: For each keypoint the number of the one on the other side.
        padded: Whether a person's region goes on in black beyond the photo's border, or ends there.

    Returns:
        JSON-serialisable content: ``task``, ``input``, ``geometry``, ``output``, ``names``, ``palette``.

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
        'geometry': _geometry(steps, task_of(config), padded),
        'output': _output(config, mirrored),
        'names': list(names),
        'palette': [list(colour) for colour in palette],
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
            f'{config.filename}: the model has neither head nor decode_head; of a multitask '
            'model name the task to export (--task)'
        )
    if model.decode_head.type.endswith('PointmapHead'):
        return 'pointmap'
    return model.decode_head.get('target', 'seg')


def _test_steps(config: Config) -> list[Any]:
    dataset = config.test_dataloader.dataset
    return dataset.get('pipeline') or config.test_pipeline


def _geometry(steps: dict[str, Any], task: str, padded: bool) -> dict[str, Any]:
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
    # A person is cut out of the photo first, if there is a box; a pointmap's camera is the whole photo's.
    region = {
        'box_growth': None if task == 'pointmap' else PADDING,
        'beyond_border': 'black' if padded else 'nothing',
    }
    if 'FitImage' in steps:
        how = {'interpolation': 'linear', 'rounding': 'down', 'outside': 0}
        return {'kind': 'fit', **region, **how}
    found = next((name for name in _STRETCH if name in steps), None)
    if found is None:
        raise ValueError(
            f'no step of the test pipeline is known to make the input; its steps: {list(steps)}'
        )
    way = _STRETCH[found]
    if steps[found].get('antialias'):
        way = 'area if the width shrinks, else linear'
    return {'kind': 'stretch', **region, 'interpolation': way}


def _output(config: Config, mirrored: Sequence[int]) -> dict[str, Any]:
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
            'mirrored': list(mirrored),
        }
    kind = {
        'seg': 'logits',
        'normal': 'normals before normalisation',
        'pointmap': 'points in metres',
    }
    return {
        'kind': kind.get(task, task),
        'shape': ['batch', 'channels', 'height', 'width'],
        # Where no crop was: None is "not a number".
        'outside': None if task == 'depth' else 0,
        'steps': _steps_to_result(task, config.model.decode_head),
    }


def _steps_to_result(task: str, head: Any) -> list[dict[str, Any]]:
    """From raw maps to a result at the size of the photo, in order; the heads' ``restore`` does the same."""
    to_input: dict[str, Any] = {'do': 'resize', 'to': 'input'}
    to_photo: dict[str, Any] = {'do': 'resize', 'to': 'photo'}
    unpad: dict[str, Any] = {'do': 'unpad'}
    limit: dict[str, Any] = {'do': 'limit', 'low': 0, 'high': 1}
    if task == 'normal' and 'deconv_out_channels' in head:
        offset = head.get('normal_offset', 0.0)
        unit = {'do': 'unit length', 'shortest': 0 if offset else 1e-5, 'offset': offset}
        return [to_input, unpad, to_photo, unit]
    unit = {'do': 'unit length', 'shortest': 1e-8, 'offset': 0.0}
    rest: dict[str, list[dict[str, Any]]] = {
        'seg': [unpad, {'do': 'labels at the size of the photo'}],
        'depth': [unpad, to_photo],
        'normal': [unit, unpad, to_photo, unit],
        'albedo': [limit, unpad, to_photo, limit],
        'matting': [unpad, to_photo, limit],
        'pointmap': [unpad, {'do': 'blur if enlarged', 'times': 4, 'sigma': 0.8}, to_photo],
    }
    return [to_input, *rest[task]]
