# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Runs that are stopped, killed, or out of disk: what they leave, and how they are continued."""

import errno
import json
import os
import platform
import signal
import subprocess
import sys
from fractions import Fraction
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from sapiens_inference.engine.run import run_tasks
from sapiens_inference.inputs.folders import RESULTS_MARK
from sapiens_pose.apis import PoseInferencer


@pytest.fixture
def folder(tmp_path, photo):
    """Twelve photos."""
    (tmp_path / 'in').mkdir()
    for number in range(12):
        cv2.imwrite(str(tmp_path / f'in/{number:02d}.png'), photo(number))
    return tmp_path / 'in'


def write_film(path, photo, frames=6):
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=Fraction(10))
        stream.height, stream.width, stream.pix_fmt = 48, 64, 'yuv420p'
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(photo(number), format='bgr24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file() and path.name != 'summary.json'
    }


def run(task, folder, out, **options):
    return run_tasks([task], folder, out, batch_size=2, **options)


def test_a_run_goes_on_where_files_are_missing(mean_task, folder, tmp_path):
    whole = tmp_path / 'whole'
    run(mean_task(needs_boxes=False), folder, whole)
    for name in ('03.json', '07.jpg', '11.json', '11.jpg'):
        (whole / 'mean' / name).unlink()
    before = files_of(whole)
    task = mean_task(needs_boxes=False)
    summary = run(task, folder, whole, skip_existing=True)
    assert summary.there_already == 9 and summary.inputs == summary.done == sum(task.batches) == 3
    assert 'results of 9 were there already' in str(summary)
    after = files_of(whole)
    assert len(after) == 2 * 12 + 1 and before.items() <= after.items()
    again = run(mean_task(needs_boxes=False), folder, whole, skip_existing=True)
    assert again.there_already == 12 and again.inputs == 0 and files_of(whole) == after


def test_every_task_must_have_its_files(mean_task, folder, tmp_path):
    tasks = [mean_task(needs_boxes=False, name=name) for name in ('one', 'two')]
    run_tasks(tasks, folder, tmp_path / 'out')
    (tmp_path / 'out/two/05.json').unlink()
    (tmp_path / 'out/sheet/06.jpg').unlink()
    summary = run_tasks(tasks, folder, tmp_path / 'out', skip_existing=True)
    assert summary.there_already == 10 and summary.done == 2
    assert (tmp_path / 'out/two/05.json').is_file() and (tmp_path / 'out/sheet/06.jpg').is_file()


def test_results_of_another_model_are_not_continued(mean_task, folder, tmp_path):
    task = mean_task(needs_boxes=False)
    task.loaded = SimpleNamespace(describe=lambda: {'model': 'mean', 'sha256': 'a'})
    run(task, folder, tmp_path / 'out')
    run(task, folder, tmp_path / 'out', skip_existing=True)
    task.loaded = SimpleNamespace(describe=lambda: {'model': 'mean', 'sha256': 'b'})
    with pytest.raises(ValueError, match=r"out/mean holds results that were made with .*'a'.*'b'"):
        run(task, folder, tmp_path / 'out', skip_existing=True)


@pytest.mark.parametrize(
    ('first', 'second', 'message'),
    [
        (
            dict(keypoints='coco'),
            dict(keypoints='body'),
            "'keypoints': 'coco'.*'keypoints': 'body'",
        ),
        (dict(), dict(flip_test=True), "'flip_test': False.*'flip_test': True"),
        (dict(legend=True), dict(), "'legend': True.*'legend': False"),
        (dict(), dict(boxes={'a': [[1, 2, 30, 40]]}), "'boxes': 'image'.*'boxes': 'dict'"),
    ],
)
def test_results_of_other_options_are_not_continued(
    small_config, small_checkpoint, folder, tmp_path, first, second, message
):
    def go(skip_existing, legend=False, boxes='image', flip_test=False, keypoints=None):
        options = {'flip_test': flip_test, 'keypoints': keypoints, 'device': 'cpu'}
        task = PoseInferencer(
            small_config('pose', 'coco'), small_checkpoint('pose', 'coco'), **options
        )
        return run_tasks(
            *([task], folder / '00.png', tmp_path / 'out'),
            boxes=boxes,
            legend=legend,
            skip_existing=skip_existing,
        )

    go(False, **first)
    assert go(True, **first).there_already == 1
    with pytest.raises(ValueError, match=message) as caught:
        go(True, **second)
    assert 'sha256' not in str(caught.value)  # only what differs is named


def test_older_results_of_another_model_are_not_taken_for_this_ones(mean_task, folder, tmp_path):
    def task(sha256):
        made = mean_task(needs_boxes=False)
        made.loaded = SimpleNamespace(describe=lambda: {'sha256': sha256})
        return made

    run(task('a'), folder, tmp_path / 'out')
    for path in (tmp_path / 'out/mean').iterdir():
        os.utime(path, (1e9, 1e9))
    results = task('b').stream(folder, out_dir=tmp_path / 'out', batch_size=1)
    for _ in range(5):
        next(results)
    results.close()  # stopped while it made all anew
    summary = run(task('b'), folder, tmp_path / 'out', skip_existing=True)
    assert 5 <= summary.there_already < 12 and summary.there_already + summary.done == 12
    assert run(task('b'), folder, tmp_path / 'out', skip_existing=True).there_already == 12


def test_frames_that_were_not_saved_are_missing(mean_task, photo, tmp_path):
    write_film(tmp_path / 'film.mp4', photo)
    film, out = tmp_path / 'film.mp4', tmp_path / 'out'
    run(mean_task(needs_boxes=False), film, out)
    assert run(mean_task(needs_boxes=False), film, out, skip_existing=True).there_already == 1
    frames = dict(skip_existing=True, save_frames=True)
    assert run(mean_task(needs_boxes=False), film, out, **frames).done == 6
    assert run(mean_task(needs_boxes=False), film, out, **frames).there_already == 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(boxes=[np.zeros((0, 4))] * 12), 'needs boxes and masks by name, not by position'),
        (dict(out_dir=None), 'skip_existing needs an out_dir'),
    ],
)
def test_what_does_not_go_with_continuing(mean_task, folder, tmp_path, options, message):
    options = {'out_dir': tmp_path / 'out', **options}
    with pytest.raises(ValueError, match=message):
        mean_task(needs_boxes=False)(folder, skip_existing=True, **options)


def test_a_video_is_done_when_it_is_whole(mean_task, photo, tmp_path):
    (tmp_path / 'in').mkdir()
    write_film(tmp_path / 'in/film.mp4', photo)
    write_film(tmp_path / 'in/other.mp4', photo)
    task, out = mean_task(needs_boxes=False), tmp_path / 'out/mean'
    results = task.stream(tmp_path / 'in', out_dir=tmp_path / 'out', batch_size=1)
    for _ in range(8):  # in the middle of the second
        next(results)
    results.close()
    assert sorted(files_of(out)) == [
        RESULTS_MARK, 'film.json', 'film.mp4', 'other.partial.json', 'other.partial.mp4',
    ]  # fmt: skip
    assert json.loads((out / 'other.partial.json').read_text())['frames']
    summary = run(task, tmp_path / 'in', tmp_path / 'out', skip_existing=True)
    assert summary.there_already == 1 and summary.done == 6
    assert sorted(files_of(out)) == [
        RESULTS_MARK, 'film.json', 'film.mp4', 'other.json', 'other.mp4',
    ]  # fmt: skip
    assert len(json.loads((out / 'other.json').read_text())['frames']) == 6


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from conftest import MeanInferencer
from sapiens_inference.engine.run import run_tasks

task = MeanInferencer(needs_boxes=False)
postprocess = task.postprocess
def dying(item, views, outputs):
    if item.index == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return postprocess(item, views, outputs)
task.postprocess = dying
run_tasks([task], {inputs!r}, {out!r}, batch_size=2)
"""


@pytest.mark.slow
def test_a_killed_run_is_continued_and_swept_up(mean_task, folder, tmp_path, root):
    code = KILLED.format(
        tests=str(root / 'tests/inference'), inputs=str(folder), out=str(tmp_path / 'out')
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    assert list((tmp_path / 'out/mean').glob('.unfinished_*'))
    summary = run(mean_task(needs_boxes=False), folder, tmp_path / 'out', skip_existing=True)
    assert not list((tmp_path / 'out').rglob('.unfinished_*'))
    assert summary.there_already + summary.done == 12
    run(mean_task(needs_boxes=False), folder, tmp_path / 'undisturbed')
    assert files_of(tmp_path / 'out') == files_of(tmp_path / 'undisturbed')


def test_only_what_dead_processes_left_is_swept_up(mean_task, folder, tmp_path):
    child = subprocess.Popen([sys.executable, '-c', ''])
    child.wait()
    left = tmp_path / f'out/mean/.unfinished_{platform.node()}_{child.pid}_abc'
    mine = tmp_path / f'out/mean/.unfinished_{platform.node()}_{os.getppid()}_abc'
    elsewhere = tmp_path / f'out/mean/.unfinished_elsewhere_{child.pid}_abc'
    for path in (left, mine, elsewhere):
        path.mkdir(parents=True)
        (path / 'a.jpg').write_text('torn')
    run(mean_task(needs_boxes=False), folder, tmp_path / 'out')
    found = [path for path in (tmp_path / 'out').rglob('.unfinished_*')]
    assert sorted(found) == sorted([mine, elsewhere])


@pytest.mark.usefixtures('interruptible')
def test_the_summary_of_an_interrupted_run_counts_all_inputs(mean_task, folder, tmp_path):
    task = mean_task(needs_boxes=False)
    forward = task.forward

    def interrupted(samples):
        if len(task.batches) == 2:
            signal.raise_signal(signal.SIGINT)
        return forward(samples)

    task.forward = interrupted
    summary = run(task, folder, tmp_path / 'out')
    assert summary.total == 12 and summary.done < 12
    assert f'mean: {summary.done} of 12 done' in str(summary)


def test_a_summary_on_a_full_disk_is_whole_or_the_old_one(mean_task, folder, tmp_path, monkeypatch):
    run(mean_task(needs_boxes=False), folder, tmp_path / 'out')
    before = (tmp_path / 'out/mean/summary.json').read_text()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('os.fsync', full)  # the first that a full disk refuses
    summary = run(mean_task(needs_boxes=False), folder, tmp_path / 'out')
    assert summary.done == 12
    for path in (tmp_path / 'out').rglob('summary.json'):
        assert json.loads(path.read_text())['done'] == 12
    assert (tmp_path / 'out/mean/summary.json').read_text() == before
