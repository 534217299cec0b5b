# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels at scale: a file of boxes and the inputs that its names mean."""

import json
import tarfile

import numpy as np
import pytest
from annotate_tasks import annotate, settings_for, write_video
from fsspec.implementations.memory import MemoryFileSystem

from sapiens_inference.annotate.dataset import read_samples
from sapiens_inference.annotate.review import pick
from sapiens_inference.annotate.worker import Annotator

pytest.importorskip('pyarrow', reason='the tables are parquet files', exc_type=ImportError)


def boxes_file(folder, content):
    """Settings of a run of pose whose boxes are those of a file."""
    (folder / 'boxes.json').write_text(json.dumps(content))
    return settings_for(('pose',), boxes=str(folder / 'boxes.json'), range_seconds=1.0)


def boxes_in(out):
    """Boxes of the labels by the file name of the input, or by the frame's time."""
    return {
        sample.content.get('time', sample.content['input'].rpartition('/')[2]): [
            person.box for person in sample.people
        ]
        for sample in read_samples(out / 'manifest.json', people=True)
    }


def pose_output(frames):
    """A video's boxes, as the suite's own pose output has them: one that moves with the frames."""
    people = [{'box': [number, 0, number + 8, 20], 'box_score': 1.0} for number in range(frames)]
    return {
        'video': {'name': 'film'},
        'frames': [{'frame': number, 'people': [person]} for number, person in enumerate(people)],
    }


@pytest.mark.parametrize('named', ['video and number', 'number'])
def test_boxes_by_frame_number_hold_beyond_the_first_range(tmp_path, named):
    pytest.importorskip('av')
    write_video(tmp_path / 'film.mp4')
    content = pose_output(40)
    if named == 'number':
        content = {str(f['frame']): [f['people'][0]['box']] for f in content['frames']}
    report = annotate(tmp_path / 'film.mp4', tmp_path / 'out', boxes_file(tmp_path, content))
    assert (report.total['done'], report.total['shards']) == (40, 1)
    found = boxes_in(tmp_path / 'out')
    assert [box[0] for (box,) in found.values()] == list(range(40))
    np.testing.assert_allclose(list(found), np.arange(40) / 10, atol=1e-5)


@pytest.fixture(params=['tar', 'address'])
def place(request, photos, tmp_path):
    """Photos that have no path of their own, in folders ``a`` and ``b``: in a tar shard, and in memory."""
    names = {f'{"ab"[number // 8]}/{number:04d}.png': number for number in range(16)}
    if request.param == 'tar':
        with tarfile.open(tmp_path / 'some.tar', 'w') as archive:
            for name, number in names.items():
                archive.add(photos / f'{number:04d}.png', name)
        yield tmp_path / 'some.tar'
    else:
        memory = MemoryFileSystem()
        for name, number in names.items():
            memory.pipe_file(f'/bucket/{name}', (photos / f'{number:04d}.png').read_bytes())
        yield 'memory://bucket'
        memory.store.clear()


def test_photos_in_shards_and_buckets_have_their_boxes(place, tmp_path):
    images = [{'id': 100 + i, 'file_name': f'b/{i:04d}.png'} for i in range(8, 16)]
    annotations = [
        {'image_id': image['id'], 'bbox': [i, 2, 9, 9], 'category_id': 1}
        for i, image in enumerate(images)
    ]
    settings = boxes_file(tmp_path, {'images': images, 'annotations': annotations})
    report = annotate(place, tmp_path / 'out', settings)
    assert (report.total['done'], report.total['people']) == (16, 8)
    assert report.flags['no boxes given'] == 8 and 'nobody detected' not in report.flags
    # The first shard of eight photos has no one.
    samples = list(read_samples(tmp_path / 'out/manifest.json', people=True))
    assert [len(sample.people) for sample in samples] == [0] * 8 + [1] * 8
    assert [sample.people[0].box[0] for sample in samples[8:]] == list(range(8))
    assert len(pick(tmp_path / 'out/manifest.json', tmp_path / 'review', 3)) == 1


def test_boxes_that_name_no_input_are_refused_before_anything_is_labelled(photos, tmp_path):
    settings = boxes_file(tmp_path, {'x/1.jpg': [[0, 0, 9, 9]]})
    with pytest.raises(
        ValueError,
        match=r'boxes.json names none of the inputs; names with boxes: 1.jpg, x/1.jpg; the first '
        r'input: .*/0000.png',
    ):
        annotate(photos, tmp_path / 'out', settings)
    # The folder is as good as new: the boxes may be corrected.
    settings = boxes_file(tmp_path, {'0003': [[0, 0, 9, 9]]})
    assert annotate(photos, tmp_path / 'out', settings).total['people'] == 1


def test_boxes_that_no_task_needs_are_those_of_the_dense_tasks(photos, tmp_path):
    box = tmp_path / 'boxes.json'
    box.write_text(json.dumps({'0003': [[0, 0, 9, 9]]}))
    flags = {}
    for tasks in (('depth',), ('depth', 'pose')):
        settings = settings_for(tasks, boxes=str(box))
        annotator = Annotator(settings, 'id', str(tmp_path))
        assert annotator.plan.crops == ('pose' not in tasks)
        flags[tasks] = annotate(photos, tmp_path / tasks[-1], settings).flags['no boxes given']
    assert flags == {('depth',): 19, ('depth', 'pose'): 19}
