# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import json
import weakref

import cv2
import numpy as np
import pytest

from sapiens_inference import Boxes, run_tasks
from sapiens_inference.concurrency import prefetch
from sapiens_inference.inputs.boxes import mark_nobody
from sapiens_inference.items import DETECTOR, NOBODY_FOUND


def people(items):
    """A detector: as many boxes as the image's first pixel says, modulo 5."""
    for item in items:
        count = int(item.pixels[0, 0, 0]) % 5
        xyxy = np.array([[i, i, 20 + 5 * i, 30 + i] for i in range(count)], np.float32)
        item.boxes = Boxes(xyxy.reshape(-1, 4), np.ones(count, np.float32), DETECTOR)
    mark_nobody(items)


@pytest.mark.parametrize('batch_size', [1, 3, 16])
def test_results_depend_on_the_image_alone(mean_task, photo, batch_size):
    images = [photo(seed, 40 + seed, 60) for seed in range(12)]
    alone = [mean_task()(image, people)[0] for image in images]
    task = mean_task()
    together = list(task(images, people, batch_size=batch_size))
    reversed_ = list(mean_task()(images[::-1], people, batch_size=batch_size))[::-1]
    for one, other, back in zip(alone, together, reversed_, strict=True):
        np.testing.assert_array_equal(one.means, other.means)
        np.testing.assert_array_equal(one.means, back.means)
    assert [result.source.index for result in together] == list(range(12))
    # People of several images share a batch: all but the last are full.
    assert all(size == batch_size for size in task.batches[:-1])


def test_memory_stays_bounded_for_any_number_of_images(mean_task, photo):
    alive, most = [], 0

    class Tracked(np.ndarray):
        pass

    def images():
        nonlocal most
        for seed in range(300):
            image = photo(seed % 7).view(Tracked)
            alive.append(seed)
            weakref.finalize(image, alive.remove, seed)
            most = max(most, len(alive))
            yield image

    task = mean_task(needs_boxes=False, workers=3)
    assert sum(result.ok for result in task.stream(images(), batch_size=4)) == 300
    assert most < 40


def test_a_failed_item_is_reported_in_its_place_and_the_rest_goes_on(mean_task, odd_folder):
    task = mean_task(fail_on=('grey',))
    results = task(odd_folder, 'image', batch_size=5)
    found = {result.source.name: result for result in results}
    failed = {name: result.error for name, result in found.items() if not result.ok}
    assert set(failed) == {'broken', 'torn', 'empty', 'one_pixel', 'grey'}
    assert failed['grey'].endswith('grey.png: no crop')
    assert task.summary.inputs == 12 and task.summary.done == 7
    assert {entry['error'] for entry in task.summary.failed} == set(failed.values())
    # A failed result has the fields of its task, empty.
    assert isinstance(found['torn'], type(found['good'])) and found['torn'].means.shape == (0, 3)
    assert repr(found['torn']).startswith("MeanResult('torn', error='")
    assert 'means=float64 (1, 3)' in repr(found['good'])


def test_out_of_memory_halves_the_batch_and_goes_on(mean_task, photo):
    task = mean_task(needs_boxes=False, oom_above=3)
    results = task([photo(seed) for seed in range(20)], batch_size=16)
    expected = [photo(seed).reshape(-1, 3).mean(axis=0) for seed in range(20)]
    np.testing.assert_allclose([result.means[0] for result in results], expected)
    assert max(task.batches) == 2 and sum(task.batches) == 20
    assert task.summary.batch_size == {'mean': 2}


def test_a_sample_that_never_fits_fails_alone(mean_task, photo):
    task = mean_task(needs_boxes=False, oom_above=0)
    results = list(task([photo(0), photo(1)], batch_size=2))
    assert not results[0].ok and 'out of memory with a single sample' in results[0].error


def test_nobody_detected_means_the_whole_image_and_says_so(mean_task):
    empty = np.zeros((40, 50, 3), np.uint8)
    task = mean_task()
    results = task(empty, people)
    np.testing.assert_array_equal(results[0].boxes, [[0, 0, 50, 40]])
    assert 'nobody was detected' in results[0].source.notes[0]
    assert task.summary.nobody_detected == 1
    item_boxes = Boxes.whole(empty.shape, NOBODY_FOUND)
    assert 'nobody' in item_boxes.origin


def test_empty_and_failed_items_do_not_pile_up_behind_an_unfilled_batch(mean_task, photo):
    """One person in the first image, nobody after: results must come out all the same."""
    taken = 0

    def images():
        nonlocal taken
        for seed in range(500):
            taken += 1
            yield photo(seed)

    def first_only(items):
        for item in items:
            item.boxes = Boxes.whole(item.pixels.shape)
            if item.index:
                item.boxes = Boxes.nobody('given')

    next(mean_task().stream(images(), first_only, batch_size=8))
    assert taken < 80


def test_files_and_summary(mean_task, odd_folder, tmp_path):
    results = mean_task()(odd_folder, 'image', out_dir=tmp_path / 'out', batch_size=4)
    folder = tmp_path / 'out' / 'mean'
    assert len(results) == 12
    names = {path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()}
    stems = ('good', 'good_png', 'sub/good', 'UPPER', 'grey', 'deep', 'alpha', 'rotated')
    names.remove('.sapiens_results')
    assert names == {'summary.json', *(f'{s}.{x}' for s in stems for x in ('json', 'jpg'))}
    summary = json.loads((folder / 'summary.json').read_text())
    assert summary['inputs'] == 12 and summary['done'] == 8 and len(summary['failed']) == 4
    assert summary['notes']['transparent pixels were laid over white'] == 1
    assert summary['versions']['torch'] and summary['seconds']['decode'] > 0
    assert summary['models'] == {'mean': {'model': 'mean', 'output': 'mean: of the grey values'}}


def test_the_progress_bar_counts_inputs_and_failures(mean_task, odd_folder, capsys):
    list(mean_task()(odd_folder, 'image', progress=True))
    shown = capsys.readouterr().err
    assert '12/12' in shown and 'failed=4' in shown and 'people=8' in shown


def test_the_progress_bar_moves_within_an_image_of_many_people(
    mean_task, photo, capsys, monkeypatch
):
    monkeypatch.setattr('sapiens_common.progress.LOG_SECONDS', 0.0)
    boxes = np.tile([[2, 2, 30, 40.0]], (1000, 1))
    mean_task()(photo(), boxes, batch_size=100, progress=True)
    lines = capsys.readouterr().err.split('\n')
    for people in (100, 500, 1000):
        assert any(line.startswith('mean: 0/1') and f'people={people}]' in line for line in lines)


def test_a_list_or_one_result_at_a_time(mean_task, photo):
    task = mean_task(needs_boxes=False)
    images = [photo(seed) for seed in range(3)]
    assert task.summary is None
    results = task.infer(images)
    assert isinstance(results, list) and len(results) == 3 and task.summary.done == 3
    stream = task.stream(images, batch_size=1)
    assert task.summary.done == 0  # nothing runs before the first is taken
    np.testing.assert_array_equal(next(stream).means, results[0].means)
    assert task.summary.done < 3 and len(list(stream)) == 2 and task.summary.done == 3


def test_two_tasks_with_the_same_results_are_refused(mean_task, photo, tmp_path):
    tasks = [mean_task(needs_boxes=False), mean_task(needs_boxes=False)]
    with pytest.raises(ValueError, match='mean: more than one of the tasks has these results'):
        run_tasks(tasks, photo(), tmp_path)


def test_the_detector_is_that_of_the_first_task_that_needs_boxes(mean_task, photo, tmp_path):
    """Whatever comes last: pose and depth without boxes once asked depth for a detector."""
    pose, depth = mean_task(), mean_task(needs_boxes=False, name='depth')
    pose.default_detector = lambda: people
    assert run_tasks([pose, depth], photo(4), tmp_path).done == 1
    assert pose.detector is people and depth.detector is None


def test_a_missing_detector_is_said_before_anything_runs(mean_task, photo):
    with pytest.raises(ValueError, match='no person detector'):
        mean_task()(photo())


def test_an_error_in_the_source_comes_out_and_the_thread_ends():
    def source():
        yield 1
        raise RuntimeError('the disk is gone')

    items = prefetch(source(), 2)
    assert next(items) == 1
    with pytest.raises(RuntimeError, match='the disk is gone'):
        next(items)


def test_prefetch_stops_reading_when_nobody_takes():
    closed = []

    def source():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    items = prefetch(source(), 2)
    next(items)
    items.close()
    assert closed == [True]


def test_results_survive_json(mean_task, photo):
    result = mean_task(needs_boxes=False)(photo())[0]
    content = json.loads(json.dumps(result.to_dict()))
    back = type(result).from_dict(content)
    np.testing.assert_array_equal(back.means, result.means)
    assert back.source == result.source
    with pytest.raises(ValueError, match="expected a result of task 'mean', got 'pose'"):
        type(result).from_dict({**content, 'task': 'pose'})
    del content['means']
    with pytest.raises(ValueError, match="no field 'means'"):
        type(result).from_dict(content)


def test_an_image_called_summary_keeps_its_results(mean_task, photo, tmp_path):
    cv2.imwrite(str(tmp_path / 'summary.png'), photo())
    results = mean_task(needs_boxes=False)(tmp_path / 'summary.png', out_dir=tmp_path / 'out')
    assert results[0].source.name == 'summary_png'
    folder = tmp_path / 'out/mean'
    assert json.loads((folder / 'summary.json').read_text())['done'] == 1
    np.testing.assert_allclose(
        json.loads((folder / 'summary_png.json').read_text()), results[0].means
    )
