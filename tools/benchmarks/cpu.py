# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""All ways to run a model on a CPU: precision, compiler, ONNX Runtime, lower resolution."""

import copy
import gc
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch
from benchmarks.harness import Comparison, Settings, Stage, compare, relative_difference
from mmengine.config import Config
from torch import Tensor

from sapiens_common.models.precision import compile_modules, has_fast_bfloat16, lower_precision
from sapiens_inference.engine.models import build_model
from sapiens_inference.outputs.export import RawModel, write_onnx

from .models import input_size, without_sdpa

_CONFIGS = Path(__file__).resolve().parents[2] / 'configs/pose'
_BASELINE = 'eager float32, attention without SDPA'
# Largest differences, relative to the largest value of the heatmaps.
_TOLERANCE = {'float32': 1e-3, 'bfloat16': 0.25, 'int8': 0.25}


def run(settings: Settings) -> Stage:
    """Time a person's heatmaps, encoder and head, at the input's size and at half of both sides."""
    stage = Stage(
        'cpu',
        'One person, normalised input to 308 heatmaps (encoder and head), random weights. ONNX Runtime runs with as '
        'many threads as torch.',
    )
    for size in ('tiny',) if settings.quick else settings.sizes or ('tiny', '0.3b'):
        stage.comparisons.append(_measure(size, settings))
        gc.collect()
    stage.notes.append(
        'Differences are relative to the largest value of the heatmaps. Half of both sides is a quarter of the '
        'tokens, and of the details: its heatmaps are not compared. What int8 costs in accuracy on people '
        'is in docs/deployment.md.'
    )
    return stage


def _measure(size: str, settings: Settings) -> Comparison:
    """All ways of one size."""
    height, width = input_size(size, settings.quick)
    config = Config.fromfile(_CONFIGS / f'sapiens_{size}_goliath.py')
    config.model.backbone.img_size = (height, width)
    torch.manual_seed(0)
    raw = RawModel(build_model(config)).eval().requires_grad_(False)
    images = torch.randn(1, 3, height, width)
    # Half of both sides, in whole patches.
    smaller = (height // 32 * 16, width // 32 * 16)
    small = torch.randn(1, 3, *smaller)
    low = _lowered(raw)
    ways = {
        _BASELINE: _forward(without_sdpa(raw), images),
        'float32': _forward(raw, images),
        'bfloat16': _forward(low, images),
    }
    if not settings.quick:  # in the precision that is the faster one here
        fast = has_fast_bfloat16(torch.device('cpu'))
        compiled = copy.deepcopy(low if fast else raw)
        compile_modules(compiled)
        ways[f'{"bfloat16" if fast else "float32"}, compiled'] = _forward(compiled, images)
    with tempfile.TemporaryDirectory() as folder:
        for precision in ('float32', 'int8'):
            ways[f'ONNX Runtime, {precision}'] = _session(raw, folder, images, precision)
        half = f'{smaller[0]} x {smaller[1]}'
        ways[f'float32, {half}'] = _forward(raw, small)
        ways[f'bfloat16, {half}'] = _forward(low, small)
        ways[f'ONNX Runtime, int8, {half}'] = _session(raw, folder, small, 'int8')
        dtypes = {
            name: next((kind for kind in ('bfloat16', 'int8') if kind in name), 'float32')
            for name in ways
        }
        return compare(
            f'pose {size}, {height} x {width}',
            ways,
            settings,
            baseline=_BASELINE,
            unit='person',
            items=1,
            dtype=dtypes,
            rounds=None if size == 'tiny' else 1,
            difference=relative_difference,
            tolerance={name: _TOLERANCE[kind] for name, kind in dtypes.items()},
        )


def _lowered(raw: RawModel) -> RawModel:
    """A copy as inference runs it in bfloat16."""
    low = copy.deepcopy(raw)
    lower_precision(low, torch.bfloat16, torch.device('cpu'))
    return low


def _forward(model: torch.nn.Module, images: Tensor) -> Callable[[], Tensor]:
    @torch.inference_mode()
    def forward() -> Tensor:
        return model(images).float()

    return forward


def _session(raw: RawModel, folder: str, images: Tensor, precision: str) -> Callable[[], Tensor]:
    """ONNX Runtime on a file of this precision, for images of this size."""
    path = Path(folder, f'{precision}_{images.shape[2]}.onnx')
    with torch.no_grad():
        write_onnx(raw, path, images.expand(2, -1, -1, -1), precision=precision)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    pixels = images.numpy()
    return lambda: torch.from_numpy(session.run(None, {'images': pixels})[0])
