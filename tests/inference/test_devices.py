# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The same results on a GPU, in every precision, and a real out-of-memory."""

import numpy as np
import pytest
import torch

from sapiens_depth_normal.apis import DepthInferencer
from sapiens_inference.engine.models import pick_device
from sapiens_inference.tasks import TASKS

FIELDS = {**{name: task.result for name, task in TASKS.items()}, 'pose': 'scores'}
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')


def values_of(task, config, weights, images, **options):
    results = TASKS[task].load()(config, weights, **options)(images, boxes='image', batch_size=3)
    return [getattr(result, FIELDS[task]).astype(np.float64) for result in results]


def disagreement(task, found, expected):
    """Mean difference as a share of the largest value; for labels the share that differs."""
    pairs = list(zip(found, expected, strict=True))
    if task == 'seg':
        return max((a != b).mean() for a, b in pairs)
    return max(np.abs(a - b).mean() / np.abs(b).max() for a, b in pairs)


@pytest.mark.parametrize('task', TASKS)
def test_bfloat16_on_the_cpu_is_close(task, small_config, small_checkpoint, photo):
    images, model = [photo(n) for n in range(3)], (small_config(task), small_checkpoint(task))
    expected = values_of(task, *model, images, device='cpu', dtype='float32')
    found = values_of(task, *model, images, device='cpu', dtype='bf16')
    assert 0 < disagreement(task, found, expected) < 0.1


@pytest.mark.parametrize('device', ['gpu', 'cuda:99', 'mps:3'])
def test_a_device_that_is_not_there(device):
    with pytest.raises(ValueError, match=f"device '{device}' is (unknown to torch|not there)"):
        pick_device(device)


@needs_cuda
@pytest.mark.parametrize(
    ('dtype', 'allowed'), [('float32', 1e-2), ('bfloat16', 0.1), ('float16', 0.05)]
)
@pytest.mark.parametrize('task', TASKS)
def test_a_gpu_gives_what_the_cpu_gives(
    task, dtype, allowed, small_config, small_checkpoint, photo
):
    images, model = [photo(n) for n in range(3)], (small_config(task), small_checkpoint(task))
    expected = values_of(task, *model, images, device='cpu', dtype='float32')
    found = values_of(task, *model, images, device='cuda', dtype=dtype)
    assert disagreement(task, found, expected) < allowed


@needs_cuda
def test_a_full_gpu_halves_the_batch(small_config, small_checkpoint, photo):
    engine = DepthInferencer(small_config('depth'), small_checkpoint('depth'), device='cuda')
    list(engine([photo(0)]))
    one = torch.cuda.max_memory_allocated()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, 8 * one / total))
    try:
        results = engine([photo(n) for n in range(128)], batch_size=128)
        assert all(result.ok for result in results)
        assert engine.summary.batch_size['depth'] < 128
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
