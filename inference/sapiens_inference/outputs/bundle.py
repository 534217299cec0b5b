# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A folder that runs a model without this suite: ONNX file, description, licence, and one program."""

from __future__ import annotations

import json
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from sapiens_common.weights import is_published, lookup, published_names, sha256_of
from sapiens_inference.outputs import bundle_program
from sapiens_inference.outputs.deployment import describe_inferencer
from sapiens_inference.outputs.export import export_model

MODEL = 'model.onnx'
_LIBRARIES = ('torch', 'onnx', 'onnxruntime', 'numpy', 'cv2')


def write_bundle(
    inferencer: Any,
    folder: str | Path,
    size: tuple[int, int],
    opset: int = 18,
    precision: str = 'float32',
) -> float:
    """Write ``model.onnx``, ``bundle.json``, ``LICENSE.txt`` and ``run.py``.

    ``bundle.json`` is the description of :mod:`~sapiens_inference.outputs.deployment`, with what was exported and
    by which versions.

    Args:
        inferencer: The task's inferencer, with its model loaded.
        folder: Where to write; it may exist.
        size: (height, width) of the input.
        opset: As :func:`~sapiens_inference.outputs.export.export_model`.
        precision: As there.

    Returns:
        The largest difference from eager, as a share of the largest output.

    Raises:
        ValueError: As :func:`~sapiens_inference.outputs.export.export_model`.
    """
    folder = Path(folder)
    facts = describe_inferencer(inferencer, size)
    difference = export_model(
        inferencer.loaded.model, folder / MODEL, 'onnx', size, opset, facts, precision
    )
    about = {
        'file': MODEL,
        'sha256': sha256_of(folder / MODEL),
        'name': inferencer.loaded.name,
        'weights': inferencer.loaded.weights.name,
        'weights_sha256': inferencer.loaded.sha256(),
        'precision': precision,
        'largest_difference': difference,
        'opset': opset,
        'made_with': {name: import_module(name).__version__ for name in _LIBRARIES},
        'licence': licence_of(inferencer.loaded),
    }
    text = json.dumps({'model': about, **facts}, indent=1)
    (folder / 'bundle.json').write_text(text, encoding='utf-8')
    (folder / 'LICENSE.txt').write_text(
        f'{MODEL}: {about["licence"]}\n'
        'run.py: Apache License 2.0, http://www.apache.org/licenses/LICENSE-2.0\n',
        encoding='utf-8',
    )
    shutil.copyfile(bundle_program.__file__, folder / 'run.py')
    return difference


def licence_of(loaded: Any) -> str:
    """Terms of a model's weights, by its published name or that of its file."""
    files = {Path(lookup(name).file).name: name for name in published_names()}
    name = loaded.name if is_published(loaded.name) else files.get(loaded.weights.name)
    if name is not None:
        return lookup(name).licence
    return (
        f'not known for {loaded.weights.name}; ask who trained it. Weights that were trained from '
        "Meta's are under Meta's licence: CC BY-NC 4.0 (Sapiens) or the Sapiens2 License"
    )
