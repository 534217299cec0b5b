# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Interrupts, full disks, memory, live sources: what happens to a run when the world is not kind."""

import errno
import inspect
import json
import os
import signal
import threading

import cv2
import numpy as np
import pytest
import torch
from old_torch import needs_float16

from sapiens_common.models.precision import lower_precision
from sapiens_depth_normal.apis import DepthInferencer, DepthResult, NormalInferencer
from sapiens_inference import Inferencer
from sapiens_inference.concurrency import newest
from sapiens_inference.engine import pipeline
from sapiens_inference.engine.batching import is_out_of_memory
from sapiens_inference.engine.models import load_model
from sapiens_inference.engine.pipeline import Pipeline
from sapiens_inference.engine.plan import make_plan
from sapiens_inference.engine.run import run_tasks
from sapiens_inference.inputs.sources import Inputs, open_inputs
from sapiens_inference.items import Boxes, Item
from sapiens_pose.apis import PoseInferencer
from sapiens_seg.apis import SegInferencer


@pytest.mark.parametrize(
    'kind', [PoseInferencer, SegInferencer, DepthInferencer, NormalInferencer, Inferencer]
)
def test_every_task_has_the_same_signature(kind):
    start = list(inspect.signature(kind.__init__).parameters.values())[1:6]
    assert [p.name for p in start] == ['model', 'weights', 'device', 'dtype', 'compile']
    assert [p.default for p in start[1:]] == [None, None, 'auto', False]
    assert all(p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for p in start)
    call = list(inspect.signature(kind.__call__).parameters)[1:5]
    assert call == ['inputs', 'boxes', 'batch_size', 'out_dir']


def leftovers(folder):
    return [path for path in folder.rglob('*') if path.name.startswith('.unfinished')]


@pytest.mark.usefixtures('interruptible')
def test_an_interrupt_leaves_only_complete_files(mean_task, photo, tmp_path):
    task = mean_task(needs_boxes=False)
    forward = task.forward

    def interrupted(samples):
        if len(task.batches) == 3:
            signal.raise_signal(signal.SIGINT)
        return forward(samples)

    task.forward = interrupted
    summary = run_tasks([task], (photo(n) for n in range(100)), tmp_path, batch_size=4)
    assert summary.stopped == 'by the user' and summary.done < 100
    for path in (tmp_path / 'mean').glob('image*.json'):
        json.loads(path.read_text())
        assert cv2.imread(str(path.with_suffix('.jpg'))) is not None
    assert not leftovers(tmp_path)
    assert json.loads((tmp_path / 'summary.json').read_text())['stopped'] == 'by the user'


def test_a_full_disk_stops_the_run_and_leaves_no_torn_file(mean_task, photo, tmp_path, monkeypatch):
    task, written = mean_task(needs_boxes=False), []

    def save(result, stem):
        if stem.name == 'image_000005':  # by name: several threads write, in any order
            stem.with_name(f'{stem.name}.json').write_text('{"torn')
            raise OSError(errno.ENOSPC, 'No space left on device')
        written.append(stem.name)
        stem.with_name(f'{stem.name}.json').write_text('[]')

    monkeypatch.setattr(task.result_type, 'save', save)
    taken = []
    images = (taken.append(n) or photo(n) for n in range(500))
    with pytest.raises(ValueError, match=r'input 5 .*nothing more can be written.*No space left'):
        task(images, out_dir=tmp_path, batch_size=2)
    assert len(taken) < 60  # the models do not go on for nothing
    complete = sorted(path.stem for path in (tmp_path / 'mean').glob('image*.json'))
    assert complete == sorted(written) and not leftovers(tmp_path)


def test_a_folder_that_cannot_be_written_is_said_before_the_work(mean_task, photo, tmp_path):
    (tmp_path / 'out').write_text('')
    with pytest.raises(ValueError, match=r'output folder .*out/mean cannot be written'):
        mean_task(needs_boxes=False)(photo(), out_dir=tmp_path / 'out')


def test_a_disk_that_was_full_at_the_start_leaves_no_torn_mark(
    mean_task, photo, tmp_path, monkeypatch
):
    def full(_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patched:
        patched.setattr(os, 'fsync', full)
        with pytest.raises(ValueError, match=r'mean cannot be written: .*No space left'):
            mean_task(needs_boxes=False)(photo(), out_dir=tmp_path)
    assert not list((tmp_path / 'mean').iterdir())
    assert mean_task(needs_boxes=False)(photo(), out_dir=tmp_path)[0].ok


def test_results_are_never_inputs_and_never_replace_them(mean_task, photo, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.jpg'), photo())
    task = mean_task(needs_boxes=False)
    for _ in range(2):  # the second run meets the pictures of the first
        results = task(tmp_path, out_dir=tmp_path / 'out')
        assert [result.source.name for result in results] == ['a']
    assert [i.name for i in open_inputs(str(tmp_path / '**/*.jpg'), tmp_path / 'out').items] == [
        'a'
    ]
    picture = tmp_path / 'out/mean/a.jpg'
    before = picture.read_bytes()
    results = task(picture, out_dir=tmp_path / 'out')
    assert 'the results would replace it' in results[0].error and picture.read_bytes() == before


def test_memory_is_bounded_in_bytes_too(mean_task, photo, monkeypatch):
    """Batches of very large photos are smaller; small ones are not touched."""
    monkeypatch.setattr(pipeline, 'STAGE_BYTES', 3 * photo().nbytes)
    task = mean_task(needs_boxes=False)
    assert len(list(task([photo(n) for n in range(12)], batch_size=8))) == 12
    assert max(task.batches) <= 3 and sum(task.batches) == 12
    monkeypatch.setattr(pipeline, 'STAGE_BYTES', 100 * photo().nbytes)
    task = mean_task(needs_boxes=False)
    list(task([photo(n) for n in range(16)], batch_size=8))
    assert task.batches == [8, 8]


def test_a_detector_out_of_memory_gets_smaller_batches(mean_task, photo):
    sizes = []

    def detector(items):
        sizes.append(len(items))
        if len(items) > 3:
            raise torch.cuda.OutOfMemoryError('fake memory is full')
        for item in items:
            item.boxes = Boxes.whole(item.pixels.shape)

    results = list(mean_task()([photo(n) for n in range(10)], detector))
    assert all(result.ok for result in results) and sizes[0] == 8 and max(sizes[2:]) <= 4


@pytest.mark.parametrize(
    ('error', 'expected'),
    [
        (torch.cuda.OutOfMemoryError('x'), True),
        (MemoryError(), True),
        (RuntimeError('MPS backend out of memory (MPS allocated: 9 GB)'), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ..."), True),
        (RuntimeError('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`'), True),
        (RuntimeError('mat1 and mat2 shapes cannot be multiplied'), False),
        (ValueError('out of memory'), False),
    ],
)
def test_what_counts_as_out_of_memory(error, expected):
    assert is_out_of_memory(error) is expected


def test_a_run_that_goes_wrong_as_a_whole_stops(mean_task, photo, warned):
    task = mean_task(needs_boxes=False, fail_on=[f'image_{n:06d}' for n in range(0, 200, 2)])
    with pytest.raises(ValueError, match=r'inputs failed, more than the share of 0\.3.*no crop'):
        list(task((photo(n) for n in range(200)), max_bad_share=0.3))
    results = task((photo(n) for n in range(40)), max_bad_share=0.6)
    assert len(results) == 40 and len(task.summary.failed) == 20
    task = mean_task(fail_on=['x'])
    task([photo()], 'image')
    text = str(task.summary)
    assert 'failed' not in text
    for wrong in (dict(max_bad_share=2), dict(batch_size=0)):
        with pytest.raises(ValueError, match='must be'):
            make_plan([task], **wrong)
    carries_a_mask = mean_task(needs_boxes=False)
    carries_a_mask.result_type = DepthResult
    warned.clear()
    make_plan([mean_task(needs_boxes=False)], smooth=True)
    make_plan([mean_task(needs_boxes=False)], masks=np.ones((4, 4)))
    make_plan([carries_a_mask], masks=np.ones((4, 4)))
    assert warned == [
        'smooth does nothing for mean: it filters keypoints',
        'masks do nothing for mean: its results have none',
    ]
    with pytest.raises(ValueError, match='workers must be at least 1'):
        make_plan([mean_task(needs_boxes=False, workers=0)])


def test_people_of_a_live_frame_share_a_batch_and_no_frame_waits(mean_task, photo):
    taken = []

    def frames():
        for number in range(50):
            taken.append(number)
            yield Item(number, 'webcam', image=photo(number))

    task = mean_task()
    boxes = np.array([[0, 0, 10, 10], [5, 5, 40, 40], [9, 9, 30, 30]], float)
    run = Pipeline(Inputs(frames(), None, live=True), make_plan([task], boxes, batch_size=8)).run()
    for number in range(3):
        assert next(run).index == number
        assert len(taken) <= number + 3  # at most what the stages hold one of
    run.close()
    assert task.batches[:3] == [3, 3, 3]


def test_a_slow_model_gets_the_newest_frame():
    go, over = threading.Event(), threading.Event()

    def camera():
        yield 0
        go.wait(5)
        yield from range(1, 10)
        over.set()

    frames = newest(camera())
    assert next(frames) == 0
    go.set()
    assert over.wait(5)  # while the model works, the camera goes on to its end
    assert list(frames) == [9]

    def broken():
        yield 1
        raise RuntimeError('unplugged')

    with pytest.raises(RuntimeError, match='unplugged'):
        list(newest(broken()))


def test_what_is_not_finite_is_refused(small_config, small_model, tmp_path):
    state = small_model('depth').state_dict()
    state['backbone.ln1.bias'][0] = float('nan')
    torch.save({'state_dict': state}, tmp_path / 'nan.pth')
    with pytest.raises(
        ValueError, match=r'nan\.pth: backbone\.ln1\.bias holds values that are not'
    ):
        load_model(small_config('depth'), tmp_path / 'nan.pth', device='cpu')


@needs_float16
def test_what_overflows_is_refused():
    model = torch.nn.Module()
    model.backbone = torch.nn.Linear(4, 4)
    torch.nn.init.constant_(model.backbone.weight, 300.0)
    lower_precision(model, torch.float16, torch.device('cpu'))
    with pytest.raises(ValueError, match="float16 overflowed in Linear; use dtype='bfloat16'"):
        model.backbone(torch.full((1, 4), 300.0))
    assert torch.isfinite(model.backbone(torch.ones(1, 4))).all()
