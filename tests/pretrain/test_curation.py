# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every image is kept or dropped for the reason its content gives, whoever does the work."""

import json
import sys

import cv2
import numpy as np
import pytest
from invented_photos import jpeg, photo_like

from sapiens_pretrain.curation import Curation, MinSize, PersonFilter, Settings
from sapiens_pretrain.curation import pipeline as pipeline_module
from sapiens_pretrain.curation.detectors import BoxesFile, ImageDetector
from sapiens_pretrain.curation.duplicates import DuplicateSearch
from sapiens_pretrain.curation.engines import Processes
from sapiens_pretrain.curation.filters import make_filter
from sapiens_pretrain.curation.photo import Photo, Record
from sapiens_pretrain.data.shards import load_index, pack_shard
from sapiens_pretrain.data.sources import open_images

BOXES = {
    'good': [[10, 10, 330, 390, 0.99], [20, 20, 60, 60, 0.95], [5, 5, 50, 50, 0.5]],
    'unsure': [[10, 10, 330, 390, 0.9]],
    'small': [[10, 10, 110, 300, 0.99]],
    'again': [[10, 10, 330, 390, 0.99]],
    'second': [[10, 10, 330, 390, 0.99]],
    'tiny': [[10, 10, 330, 390, 0.99]],
    'drawn': [[10, 10, 330, 390, 0.99]],
}
EXPECTED = {
    'again': 'duplicate',
    'broken': 'unreadable',
    'drawn': 'art',
    'nobody': 'no person',
    'small': 'small person',
    'tiny': 'tiny',
    'torn': 'unreadable',
    'unsure': 'no person',
}


@pytest.fixture
def heap(tmp_path):
    """A folder with one image for each fate, and a file of boxes."""
    folder = tmp_path / 'heap'
    folder.mkdir()

    def write(name, content):
        (folder / f'{name}.jpg').write_bytes(content)

    write('good', jpeg(photo_like(0)))
    # In the order of names the first of a pair of duplicates stays: "again" would come before.
    write('second', jpeg(photo_like(1)))
    write('again', jpeg(cv2.resize(photo_like(1), None, fx=0.9, fy=0.9), 70))
    write('nobody', jpeg(photo_like(2)))
    write('unsure', jpeg(photo_like(3)))
    write('small', jpeg(photo_like(4)))
    write('tiny', jpeg(photo_like(5, (200, 360))))
    write(
        'drawn',
        jpeg(cv2.circle(np.full((400, 360, 3), 255, np.uint8), (180, 200), 90, (9, 9, 200), -1)),
    )
    write('torn', jpeg(photo_like(6))[:3000])
    write('broken', b'this is no image')
    (tmp_path / 'boxes.json').write_text(json.dumps({f'{k}.jpg': v for k, v in BOXES.items()}))
    return folder


class FromBoxes:
    """Makes the detector in each worker."""

    def __init__(self, path):
        self.path = path

    def __call__(self):
        return BoxesFile(self.path)


def settings_for(heap, **options):
    filters = [
        MinSize(300),
        PersonFilter(0.9, 300),
        *map(make_filter, ('watermark', 'art')),
    ]
    boxes = heap.parent / 'boxes.json'
    return Settings(
        **{'filters': filters, 'detector': FromBoxes(boxes), 'images_per_shard': 2, **options}
    )


def manifest(out):
    return [json.loads(line) for line in (out / 'manifest.jsonl').read_text().splitlines()]


def fates(out):
    return {
        r['name'].split('/')[-1].split('.')[0]: r['reason'].split(':')[0]
        for r in manifest(out)
        if not r['kept']
    }


def everything(out):
    """All that a run leaves, by name; the settings file names nothing of the engine."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob('*'))
        if path.is_file() and path.suffix != '.png'
    }


def test_each_image_has_its_fate(heap, tmp_path):
    out = tmp_path / 'out'
    summary = Curation(heap, out, settings_for(heap)).run()
    # "again" comes first in the order of names, so its larger twin is the duplicate.
    expected = {k: v for k, v in EXPECTED.items() if k != 'again'} | {'second': 'duplicate'}
    assert fates(out) == expected
    kept = [record for record in manifest(out) if record['kept']]
    assert [record['people'] for record in kept] == [1, 2]
    assert kept[1]['member'] == '000000.tar/000000001'
    shards = open_images(out / 'shards')
    assert [shards.read(i)[1] for i in range(2)] == [
        (heap / f'{name}.jpg').read_bytes() for name in ('again', 'good')
    ]
    assert summary['kept'] == 2 and summary['images'] == 10
    assert summary['dropped'] == {
        'art': 1, 'duplicate': 1, 'no person': 2, 'small person': 1, 'tiny': 1, 'unreadable': 2,
    }  # fmt: skip
    assert summary['people_per_image'] == {'1': 1, '2': 1}
    assert cv2.imread(str(out / 'people.png')).shape[2] == 3
    reasons = {r['name'].split('/')[-1]: r['reason'] for r in manifest(out)}
    assert reasons['unsure.jpg'] == 'no person: best score 0.90, needed above 0.9'
    assert reasons['small.jpg'] == 'small person: largest box 290 px, needed above 300'
    assert reasons['second.jpg'] == f'duplicate: of {heap / "again.jpg"}'


@pytest.mark.parametrize('engine', [Processes(2), Processes(3)])
def test_any_number_of_workers_gives_the_same(heap, tmp_path, monkeypatch, engine):
    monkeypatch.setattr(pipeline_module, 'EXAMINE_CHUNK', 2)
    outs = [tmp_path / 'one', tmp_path / 'more']
    for out, used in zip(outs, (Processes(1), engine), strict=True):
        Curation(heap, out, settings_for(heap, images_per_shard=1)).run(used)
    assert everything(outs[0]) == everything(outs[1])
    assert len(list((outs[0] / 'shards').glob('*.tar'))) == 2


@pytest.mark.slow
def test_ray_gives_the_same(heap, tmp_path, monkeypatch):
    pytest.importorskip('ray.data', reason='the cluster engine is an extra')
    from ray import cloudpickle

    from sapiens_pretrain.curation.engines import RayData

    # The stub detector of this file: workers have no module of tests to import.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    outs = [tmp_path / 'one', tmp_path / 'ray']
    Curation(heap, outs[0], settings_for(heap)).run()
    # Half of the hashes are a bit away from those of the other half, in another part.
    values = np.random.default_rng(0).integers(0, 1 << 63, 400, dtype=np.uint64)
    first, second = np.arange(800, dtype=np.uint64).reshape(2, 400)
    read = [(values, first), (values ^ np.uint64(1 << 40), second)].__getitem__
    alone = DuplicateSearch(tmp_path / 'alone', read, 2, 800, per_task=100).run(Processes())
    monkeypatch.setenv('RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO', '0')
    engine = RayData(workers=2)
    try:
        Curation(heap, outs[1], settings_for(heap)).run(engine)
        together = DuplicateSearch(tmp_path / 'both', read, 2, 800, per_task=100).run(engine)
    finally:
        engine.ray.shutdown()
    assert everything(outs[0]) == everything(outs[1])
    assert together.tolist() == alone.tolist() == [[400 + i, i] for i in range(400)]


def test_a_run_killed_after_any_task_goes_on(heap, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline_module, 'EXAMINE_CHUNK', 2)
    whole = tmp_path / 'whole'
    Curation(heap, whole, settings_for(heap)).run()
    parts, bands, shards = 5, 5, 1
    for last in (2, parts, parts + 3, parts + 1 + bands):
        cut, calls = tmp_path / f'cut{last}', []

        def until_last(function, tasks, calls=calls, last=last):
            for task in tasks:
                if len(calls) == last:
                    raise KeyboardInterrupt
                calls.append((function.__name__, task))
                function(task)

        with pytest.raises(KeyboardInterrupt):
            Curation(heap, cut, settings_for(heap)).run(until_last)
        assert len(calls) == last

        def counting(function, tasks, calls=calls):
            calls.extend((function.__name__, task) for task in tasks)
            Processes()(function, tasks)

        Curation(heap, cut, settings_for(heap)).run(counting)
        stages = {'examine': parts, 'sort': 1, 'compare': bands, 'write_shard': shards}
        assert calls == [(name, task) for name, size in stages.items() for task in range(size)]
        assert everything(whole) == everything(cut)


def test_other_settings_need_another_folder(heap, tmp_path):
    Curation(heap, tmp_path / 'out', settings_for(heap))
    with pytest.raises(ValueError, match='of a run with other inputs or settings'):
        Curation(heap, tmp_path / 'out', settings_for(heap, images_per_shard=3))


def test_input_must_not_change(heap, tmp_path):
    run = Curation(heap, tmp_path / 'out', settings_for(heap))
    (heap / 'new.jpg').write_bytes(jpeg(photo_like(9)))
    del run.source
    with pytest.raises(ValueError, match='holds 11 images, and 10 when this run began'):
        run.run()


def test_tools(heap, tmp_path, run_tool):
    out = tmp_path / 'out'
    boxes = ('--boxes', heap.parent / 'boxes.json')
    options = ('--images-per-shard', 5, '--filters', 'text=0.02', 'art')
    text = run_tool('tools/data/curate_humans.py', heap, out, *boxes, *options)
    assert text.startswith('2 of 10 images kept')
    assert len(fates(out)) == 8
    text = run_tool('tools/data/pack_shards.py', heap, tmp_path / 'packed', '--images-per-shard', 3)
    assert text.startswith('8 of 10 images packed') and "'unreadable': 2" in text
    shards = open_images(tmp_path / 'packed' / 'shards')
    assert len(shards) == 8 and len(shards.shards) == 3


def test_filters_of_ones_own_are_found_where_the_command_is_given(
    heap, tmp_path, run_tool, monkeypatch
):
    (tmp_path / 'house_rules.py').write_text(
        "def not_tiny(photo, record):\n    return 'small: no' if 'tiny' in photo.name else None\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [entry for entry in sys.path if entry])
    boxes = ('--boxes', heap.parent / 'boxes.json', '--min-side', 1)
    run_tool(
        'tools/data/curate_humans.py', heap, 'out', *boxes, '--filters', 'house_rules:not_tiny'
    )
    assert fates(tmp_path / 'out')['tiny'] == 'small'


def test_wrong_arguments(heap, tmp_path, run_tool):
    tool, out = 'tools/data/curate_humans.py', tmp_path / 'out'
    boxes = ('--boxes', heap.parent / 'boxes.json')
    for arguments, message in (
        ((tmp_path / 'nowhere', out, *boxes), 'nowhere: expected a folder'),
        ((heap, out, *boxes, '--filters', 'nonsense'), "filter 'nonsense' is not one of"),
        ((heap, out, *boxes, '--filters', 'art=x'), "filter 'art=x': expected a number after ="),
        ((heap, out, *boxes, '--images-per-shard', 0), 'images_per_shard must be at least 1'),
        ((heap, out, *boxes, '--batch-size', 0), 'detector_batch must be at least 1'),
        ((heap, out, *boxes, '--workers', 0), 'workers must be at least 1'),
        ((heap, out, '--boxes', tmp_path / 'none.json'), 'none.json'),
    ):
        with pytest.raises(SystemExit, match=f'error: .*{message}'):
            run_tool(tool, *arguments)


def test_both_sides_can_be_asked_for():
    photo = Photo('x', b'', np.array([[0, 0, 200, 900]]), np.array([0.99]))
    assert PersonFilter()(photo, Record(0, 'x')) is None
    reason = PersonFilter(both_sides=True)(photo, Record(0, 'x'))
    assert reason == 'small person: largest box 200 px, needed above 300'


def test_image_detector():
    class Found:
        xyxy, scores = np.array([[0, 0, 9, 9]]), np.array([0.5])

    seen = []
    detect = ImageDetector(lambda images: seen.extend(images) or [Found])
    ((boxes, scores),) = detect([Photo('x', jpeg(photo_like(0)))])
    assert (boxes.tolist(), scores.tolist()) == ([[0, 0, 9, 9]], [0.5])
    assert seen[0].shape == (400, 360, 3)


def test_files_that_no_shard_takes_are_dropped_at_once(tmp_path):
    for name in ('a.bmp', 'b.png'):
        cv2.imwrite(str(tmp_path / name), photo_like(0))
    (tmp_path / 'list.txt').write_text('a.bmp\nb.png\n')
    summary = Curation(tmp_path / 'list.txt', tmp_path / 'out', Settings()).run()
    assert summary['kept'] == 1 and summary['dropped'] == {'unreadable': 1}
    assert 'the suffix is not one of .jpg' in manifest(tmp_path / 'out')[0]['reason']


def test_a_shard_damaged_inside_costs_one_image(tmp_path):
    images = [(f'{i}', jpeg(photo_like(i)), {'name': 'a.jpg'}) for i in range(3)]
    pack_shard(tmp_path / 'a.tar', images)
    offset = int(load_index(tmp_path / 'a.tar')[2, 0])
    with (tmp_path / 'a.tar').open('r+b') as file:
        file.seek(offset - 400)
        file.write(b'x' * 300)
    summary = Curation(tmp_path / 'a.tar', tmp_path / 'out', Settings()).run()
    assert summary['kept'] == 2 and summary['dropped'] == {'unreadable': 1}
    record = manifest(tmp_path / 'out')[1]
    assert record['name'].endswith('a.tar/image 1') and 'is damaged' in record['reason']


def test_a_filter_that_fails_names_the_image(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), photo_like(0))
    run = Curation(tmp_path, tmp_path / 'out', Settings(filters=[lambda photo, record: 1 / 0]))
    with pytest.raises(RuntimeError, match=r'a\.png: filter .* failed: division by zero'):
        run.run()
