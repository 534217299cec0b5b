# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels at scale: any input, shards that do not depend on who made them, faults that leave no trace."""

import errno
import io
import json
import os
import subprocess
import sys
import tarfile

import annotate_tasks
import cv2
import numpy as np
import pyarrow as arrow
import pytest
from annotate_tasks import final_files, inline_engine, write_grey, write_photos
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import parquet

from sapiens_common.files.images import read_ids, read_image
from sapiens_common.files.maps import read_array
from sapiens_inference.annotate.attempts import Attempts, GivenUp
from sapiens_inference.annotate.dataset import check_names, read_samples
from sapiens_inference.annotate.engines import WorkerDied, local_engine, ray_engine
from sapiens_inference.annotate.plan import cut
from sapiens_inference.annotate.reading import read_range
from sapiens_inference.annotate.review import merge, pick
from sapiens_inference.annotate.run import Run
from sapiens_inference.annotate.settings import Settings
from sapiens_inference.annotate.shards import TarWriter
from sapiens_inference.annotate.sources import Listing, describe
from sapiens_inference.annotate.storage import Storage, StorageError
from sapiens_inference.inputs.video import open_video, read_video


def settings_for(tasks=('seg', 'pose', 'depth'), **options):
    options = {'boxes': 'image', 'per_shard': 8, 'builder': 'annotate_tasks:build', **options}
    return Settings(weights=dict.fromkeys(tasks, 'none'), **options)


def annotate(place, out, settings=None, engine=inline_engine, tries=2, **options):
    settings = settings or settings_for()
    run = Run(str(place), str(out), settings)
    made = engine(
        {
            'settings': settings,
            'settings_id': run.settings_id,
            'output': run.storage.place,
            'tries': tries,
        }
    )
    return run.run(made, quiet=True, **options)


@pytest.fixture
def photos(tmp_path):
    write_photos(tmp_path / 'photos', 20)
    return tmp_path / 'photos'


def test_labels_come_back(photos, tmp_path):
    out = tmp_path / 'out'
    report = annotate(photos, out)
    assert (report.total['done'], report.total['aside']) == (20, 0)
    samples = list(read_samples(out / 'manifest.json', people=True))
    assert [sample.content['name'] for sample in samples] == [f'{i:04d}' for i in range(20)]
    for number in (0, 7, 8, 19):
        image = read_image(photos / f'{number:04d}.png')
        sample = samples[number]
        np.testing.assert_array_equal(read_image(sample.image), image)
        np.testing.assert_array_equal(read_ids(sample.file('.seg.png')), image[..., 0] > 127)
        depth = read_array(sample.file('.depth.npz'))
        assert depth.dtype == np.float16
        np.testing.assert_allclose(depth, image[..., 1] / 255, atol=5e-4)
        (person,) = sample.people
        row, column = np.unravel_index(image[..., 1].argmax(), image.shape[:2])
        assert person.keypoints[1, :2].tolist() == [column, row]
        assert person.keypoints[1, 2] == pytest.approx(image[..., 1].max() / 255)
        assert sample.content['quality']['foreground'] == pytest.approx(
            (image[..., 0] > 127).mean(), abs=1e-4
        )


def test_other_readers_take_the_shards(photos, tmp_path):
    webdataset = pytest.importorskip('webdataset')
    annotate(photos, tmp_path / 'out', settings_for(('seg',)))
    samples = list(
        webdataset.WebDataset(str(tmp_path / 'out/shards/000001.tar'), shardshuffle=False)
    )
    assert len(samples) == 8
    assert samples[0]['png'] == (photos / '0008.png').read_bytes()


def test_second_start_changes_nothing_and_does_nothing(photos, tmp_path):
    annotate(photos, tmp_path / 'a')
    annotate(photos, tmp_path / 'b')
    there = final_files(tmp_path / 'a')
    assert there == final_files(tmp_path / 'b')  # times and users are nowhere in the files
    again = annotate(photos, tmp_path / 'a')
    assert (again.total['done'], again.here) == (20, 0)
    assert there == final_files(tmp_path / 'a')


def test_manifest_ties_outputs_to_inputs(photos, tmp_path):
    import hashlib

    out = tmp_path / 'out'
    annotate(photos, out)
    manifest = json.loads((out / 'manifest.json').read_text())
    for name, digest in manifest['shards'].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
        shard = json.loads((out / name).read_text())
        assert shard['settings'] == manifest['settings_sha256']
        for file, said in shard['files'].items():
            content = (out / 'shards' / file).read_bytes()
            assert said == {'sha256': hashlib.sha256(content).hexdigest(), 'bytes': len(content)}
        for sample in shard['samples']:
            content = (photos / f'{sample["name"]}.png').read_bytes()
            assert sample['sha256'] == hashlib.sha256(content).hexdigest()
    assert manifest['settings']['versions']['torch']


def test_other_settings_or_inputs_are_refused(photos, tmp_path):
    out = tmp_path / 'out'
    annotate(photos, out)
    before = final_files(out)
    with pytest.raises(ValueError, match='begun with other settings .*batch_size: 8 there, 4 here'):
        annotate(photos, out, settings_for(batch_size=4))
    (photos / '9999.png').write_bytes((photos / '0000.png').read_bytes())
    with pytest.raises(ValueError, match=r'other inputs: .*9999.* is new'):
        annotate(photos, out)
    (photos / '9999.png').unlink()
    (photos / '0003.png').unlink()
    with pytest.raises(ValueError, match=r'other inputs: .*0003.* is gone'):
        annotate(photos, out)
    assert final_files(out) == before


def test_unreadable_inputs_are_set_aside(photos, tmp_path):
    (photos / '0005.png').write_bytes(b'no photo')
    report = annotate(photos, tmp_path / 'out', max_bad_share=0.06)
    assert (report.total['done'], report.total['aside']) == (19, 1)
    shard = json.loads((tmp_path / 'out/shards/000000.json').read_text())
    (aside,) = shard['aside']
    assert aside['input'] == str(photos / '0005.png')
    assert 'no known image format' in aside['reason']


def test_too_many_bad_inputs_stop_the_run(photos, tmp_path):
    for number in range(0, 20, 5):
        (photos / f'{number:04d}.png').write_bytes(b'no photo')
    with pytest.raises(
        ValueError, match='4 of 20 inputs were set aside, more than the share of 0.1'
    ):
        annotate(photos, tmp_path / 'out')
    report = annotate(photos, tmp_path / 'out', max_bad_share=0.2)
    assert (report.total['done'], report.here) == (16, 0)


def test_full_disk_ends_the_run_and_the_next_start_goes_on(photos, tmp_path, monkeypatch):
    annotate(photos, tmp_path / 'good')
    add = TarWriter.add
    room = [30]

    def full(self, name, content):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, 'No space left on device')
        add(self, name, content)

    monkeypatch.setattr(TarWriter, 'add', full)
    with pytest.raises(StorageError, match=r'000001.tar cannot be written \(No space left'):
        annotate(photos, tmp_path / 'out')
    assert not list((tmp_path / 'out/shards').glob('.*'))
    assert sorted(p.name for p in (tmp_path / 'out/shards').glob('*.tar')) == ['000000.tar']
    monkeypatch.undo()
    annotate(photos, tmp_path / 'out')
    assert final_files(tmp_path / 'out') == final_files(tmp_path / 'good')


def test_vanished_input_ends_the_run_and_the_next_start_goes_on(photos, tmp_path):
    annotate(photos, tmp_path / 'good')
    settings = settings_for()
    run = Run(str(photos), str(tmp_path / 'out'), settings)
    options = {
        'settings': settings,
        'settings_id': run.settings_id,
        'output': run.storage.place,
        'tries': 1,
    }
    photos.rename(tmp_path / 'elsewhere')
    for _ in range(3):  # more often than there are tries
        with pytest.raises(
            StorageError, match=r'8 of 8 inputs are not there.*Is their storage gone'
        ):
            run.run(inline_engine(options), quiet=True)
    (tmp_path / 'elsewhere').rename(photos)
    annotate(photos, tmp_path / 'out')
    assert final_files(tmp_path / 'out') == final_files(tmp_path / 'good')


def test_a_failing_model_is_blamed_on_the_input_that_fails_alone(photos, tmp_path):
    write_grey(photos / '0010.png', annotate_tasks.FAILING)
    report = annotate(photos, tmp_path / 'out', tries=2)
    assert (report.total['done'], report.total['aside'], report.deaths) == (19, 1, 2)
    (aside,) = json.loads((tmp_path / 'out/shards/000001.json').read_text())['aside']
    assert aside['reason'] == 'RuntimeError: the model fails'
    assert not list((tmp_path / 'out/log/tries').iterdir())


def test_suspects_are_tried_one_by_one(tmp_path):
    """What :class:`Attempts` finds on disk after each death decides what the next worker does."""
    storage = Storage(str(tmp_path))

    def start():
        attempts = Attempts(storage, 3, tries=2)
        attempts.begin()
        return attempts

    assert not start().is_suspicious
    assert not start().is_suspicious
    third = start()
    assert third.is_suspicious
    third.accuse(0)
    third.accuse(1)  # dies here, and again
    fourth = start()
    assert (fourth.probed, fourth.deaths, fourth.aside) == (1, {'1': 1}, {})
    fourth.accuse(1)
    fifth = start()
    assert fifth.aside == {'1': 'the worker died 2 times on it alone'}
    fifth.acquit(4)
    assert start().probed == 4
    for _ in range(4):
        start()
    with pytest.raises(GivenUp, match='shard 3 was tried 10 times, and none of its inputs alone'):
        start()


def test_an_interrupted_attempt_by_full_storage_does_not_count(tmp_path):
    attempts = Attempts(Storage(str(tmp_path)), 0, tries=1)
    for _ in range(5):
        attempts.begin()
        assert not attempts.is_suspicious
        attempts.take_back()


def shard_of(folder, path, names):
    with tarfile.open(path, 'w') as archive:
        for name in names:
            archive.add(folder / f'{name}.png', f'{name}.png')
    return path


def entries(place, out='/nowhere'):
    return list(Listing(str(place), str(out)))


def test_every_kind_of_input(photos, tmp_path):
    everything = [str(photos / f'{i:04d}.png') for i in range(20)]
    assert [e['path'] for e in entries(photos)] == everything
    assert [e['path'] for e in entries(photos / '*1.png')] == everything[1::10]
    listing = tmp_path / 'list.txt'
    listing.write_text('# two\nphotos/0003.png\nphotos/0001.png\n')
    assert [e['name'] for e in entries(listing)] == ['photos/0003', 'photos/0001']
    table = tmp_path / 'list.parquet'
    parquet.write_table(arrow.table({'path': ['photos/0003.png', everything[1]]}), table)
    assert [describe(e) for e in entries(table)] == [everything[3], everything[1]]
    shard = shard_of(photos, tmp_path / 'some.tar', ['0002', '0005'])
    found = entries(shard)
    assert [(e['name'], e['member']) for e in found] == [
        ('some/0002', '0002.png'),
        ('some/0005', '0005.png'),
    ]
    with shard.open('rb') as file:
        file.seek(found[1]['offset'])
        assert file.read(found[1]['bytes']) == (photos / '0005.png').read_bytes()


def test_a_folder_of_shards_and_photos_without_the_output(photos, tmp_path):
    shard_of(photos, photos / 'b.tar', ['0000'])
    annotate(photos, photos / 'labels')
    found = entries(photos, photos / 'labels')
    assert len(found) == 21
    assert found[-1]['name'] == 'b/0000'
    again = annotate(photos, photos / 'labels')
    assert again.total['done'] == 21


def test_bad_inputs_are_named(photos, tmp_path):
    with pytest.raises(ValueError, match='does not exist'):
        entries(tmp_path / 'nothing')
    table = tmp_path / 'list.parquet'
    parquet.write_table(arrow.table({'file': ['a.png']}), table)
    with pytest.raises(ValueError, match=r"expected a column 'path', found \['file'\]"):
        entries(table)
    (tmp_path / 'no.tar').write_bytes(b'x' * 2000)
    with pytest.raises(ValueError, match='no readable, uncompressed tar'):
        entries(tmp_path / 'no.tar')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='holds no image'):
        entries(tmp_path / 'empty')


def test_storage_of_fsspec_gives_the_same_shards(photos, tmp_path):
    annotate(photos, tmp_path / 'out', settings_for(('seg', 'pose')))
    memory = MemoryFileSystem()
    memory.store.clear()
    memory.put(str(photos), '/bucket/photos', recursive=True)
    annotate('memory://bucket/photos', 'memory://bucket/out', settings_for(('seg', 'pose')))
    for name, content in final_files(tmp_path / 'out').items():
        if name.endswith(('.tar', '.parquet')):
            assert memory.cat_file(f'/bucket/out/{name}') == content
    shard = memory.cat_file('/bucket/photos/0000.png')
    memory.pipe_file('/bucket/more/one.tar', _tar({'x.png': shard}))
    assert annotate('memory://bucket/more', 'memory://bucket/third').total['done'] == 1
    memory.store.clear()


def _tar(files):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w') as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def test_photos_that_training_cannot_read_are_stored_as_the_model_saw_them(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / 'a.tif'), pixels)
    alpha = np.dstack([pixels, np.full((24, 32), 100, np.uint8)])
    cv2.imwrite(str(folder / 'b.png'), alpha)
    annotate(folder, tmp_path / 'out', settings_for(('seg',)))
    first, second = read_samples(tmp_path / 'out/manifest.json')
    np.testing.assert_array_equal(read_image(first.image), pixels)
    assert second.content['notes'] == ['transparent pixels were laid over white']
    np.testing.assert_array_equal(
        read_ids(second.file('.seg.png')), read_image(second.image)[..., 0] > 127
    )


def test_photos_may_stay_where_they_are(photos, tmp_path):
    annotate(photos, tmp_path / 'out', settings_for(('seg',), images='refer'))
    sample = next(read_samples(tmp_path / 'out/manifest.json'))
    assert sample.content['members'] == ['.seg.png']
    assert sample.image == photos / '0000.png'


def test_names_of_labels_are_compared(photos, tmp_path):
    annotate(photos, tmp_path / 'out', settings_for(('pose',)))
    manifest = tmp_path / 'out/manifest.json'
    check_names(manifest, 'pose', ['left', 'right'])
    with pytest.raises(
        ValueError, match="2 names of pose, .* 2; number 1 is 'right', not 'middle'"
    ):
        check_names(manifest, 'pose', ['left', 'middle'])
    with pytest.raises(ValueError, match='no labels of seg; annotate with --tasks seg'):
        check_names(manifest, 'seg', ['background'])


def test_flags_say_what_to_look_at(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    write_grey(folder / 'dark.png', 20)
    annotate(folder, tmp_path / 'out')
    (sample,) = read_samples(tmp_path / 'out/manifest.json')
    assert sample.content['flags'] == ['empty mask', 'low scores']
    assert json.loads((tmp_path / 'out/log/report.json').read_text())['flags'] == {
        'empty mask': 1,
        'low scores': 1,
    }


def test_doubtful_labels_are_corrected_and_read_back(photos, tmp_path):
    """The whole way: picked, drawn, exported to COCO, changed as an annotator would, merged, read."""
    write_grey(photos / '0013.png', 20)
    out, review = tmp_path / 'out', tmp_path / 'review'
    annotate(photos, out)
    before = final_files(out)
    (sheet,) = pick(out / 'manifest.json', review, count=3)
    assert read_image(sheet).shape[1] > 1000
    key = '000001_000005'
    stems = sorted(path.stem for path in (review / 'images').iterdir())
    assert len(stems) == 3 and key in stems
    path = review / 'exports/coco/annotations.json'
    content = json.loads(path.read_text())
    image = next(i for i in content['images'] if i['file_name'] == f'{key}.png')
    assert (image['height'], image['width']) == (24, 32)
    (mine,) = (a for a in content['annotations'] if a['image_id'] == image['id'])
    mine.update(bbox=[1, 2, 10, 20], keypoints=[3.0, 4.0, 2, 0, 0, 0])
    path.write_text(json.dumps(content))
    assert merge(out / 'manifest.json', path) == 3
    samples = {s.key: s for s in read_samples(out / 'manifest.json', people=True)}
    (person,) = samples[key].people
    assert person.box == [1, 2, 11, 22]
    assert person.keypoints.tolist() == [[3, 4, 1], [0, 0, 0]]
    others = final_files(out)
    del others['corrections.json']
    assert others == before
    content['images'][0]['file_name'] = 'nobody.png'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="'nobody' is not an image of"):
        merge(out / 'manifest.json', path)
    content['categories'][0]['keypoints'] = ['right', 'left']
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='its keypoints are not the 2 of the run, in order'):
        merge(out / 'manifest.json', path)


def test_cut_keeps_ranges_of_videos_apart():
    photos = [{'name': str(i), 'path': str(i)} for i in range(5)]
    ranges = [{'name': 'v', 'path': 'v.mp4', 'part': i} for i in range(2)]
    shards = list(cut([*photos[:3], *ranges, *photos[3:]], 2))
    sizes = [(shard['shard'], len(shard['inputs'])) for shard in shards]
    assert sizes == [(0, 2), (1, 1), (2, 1), (3, 1), (4, 2)]


def write_video(path, frames=40, rate=10):
    """Two squares that move; with B-frames, and a key frame every 15."""
    import av

    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=rate, options={'g': '15', 'bf': '2'})
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for number in range(frames):
            image = np.full((48, 64, 3), number * 3, np.uint8)
            image[5:15, number : number + 8] = (255, 200, 0)
            image[25:35, 50 - number : 58 - number] = (0, 255, 200)
            frame = av.VideoFrame.from_ndarray(image, format='bgr24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize('seconds', [0.7, 1.5, 10])
def test_ranges_of_a_video_are_its_frames(tmp_path, seconds):
    pytest.importorskip('av')
    path = tmp_path / 'film.mp4'
    write_video(path)
    whole = [(f.time, image) for f, image, _ in read_video(open_video(path, 'film')[0])]
    parts = list(Listing(str(path), '/nowhere', seconds))
    assert len(parts) == max(1, round(4 / seconds))
    found = [(frame.time, image) for part in parts for frame, image in read_range(part)]
    assert len(found) == len(whole) == 40
    for (time, image), (wanted, pixels) in zip(found, whole, strict=True):
        assert time == pytest.approx(wanted, abs=1e-5)
        np.testing.assert_array_equal(image, pixels)


def test_tracks_go_on_over_the_cuts_of_a_video(tmp_path):
    """As the tracker numbers people when it sees the whole video."""
    pytest.importorskip('av')
    folder = tmp_path / 'videos'
    folder.mkdir()
    write_video(folder / 'film.mp4')
    write_video(folder / 'short.mp4', frames=8)
    boxes = {'film': [[0, 0, 30, 20], [20, 20, 60, 40]], 'short': [[0, 0, 30, 20]]}
    (tmp_path / 'boxes.json').write_text(json.dumps(boxes))
    settings = settings_for(('pose',), boxes=str(tmp_path / 'boxes.json'), range_seconds=1.0)
    report = annotate(folder, tmp_path / 'out', settings)
    assert (report.total['shards'], report.total['done'], report.total['videos']) == (5, 48, 2)
    assert sorted(p.name for p in (tmp_path / 'out/tracks').iterdir()) == [
        '000000.parquet',
        '000004.parquet',
    ]
    film = parquet.read_table(tmp_path / 'out/tracks/000000.parquet').to_pydict()
    assert film['frame'] == [frame for frame in range(40) for _ in range(2)]
    assert film['track_id'] == [1, 2] * 40
    assert film['time'][-1] == pytest.approx(3.9)
    keys = [s.key for s in read_samples(tmp_path / 'out/manifest.json')][:40]
    assert film['key'] == [key for key in keys for _ in range(2)]


def test_a_damaged_video_keeps_what_can_be_read(tmp_path):
    pytest.importorskip('av')
    folder = tmp_path / 'videos'
    folder.mkdir()
    (folder / 'none.mp4').write_bytes(b'no film')
    report = annotate(folder, tmp_path / 'out', settings_for(('seg',)))
    assert (report.total['done'], report.total['aside']) == (0, 1)
    (aside,) = json.loads((tmp_path / 'out/shards/000000.json').read_text())['aside']
    assert 'none.mp4 part 0: reading stopped after 0 frames' in aside['reason']


@pytest.mark.slow
def test_ray_gives_the_same_shards(photos, tmp_path, monkeypatch):
    ray = pytest.importorskip('ray')
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(sys.path))  # actors find annotate_tasks there
    annotate(photos, tmp_path / 'local')
    try:
        annotate(photos, tmp_path / 'ray', engine=lambda options: ray_engine(options, 2))
    finally:
        ray.shutdown()
    assert final_files(tmp_path / 'ray') == final_files(tmp_path / 'local')


def test_progress_lines(photos, tmp_path):
    annotate(photos, tmp_path / 'out')
    lines = [json.loads(x) for x in (tmp_path / 'out/log/progress.jsonl').read_text().splitlines()]
    assert [line['event'] for line in lines] == ['start', 'shard', 'shard', 'shard', 'end']
    assert [line['done'] for line in lines] == [0, 8, 16, 20, 20]
    assert lines[1]['seconds_left'] > 0 == lines[-1]['seconds_left']


@pytest.mark.slow
def test_workers_that_die_or_hang_are_replaced(photos, tmp_path):
    write_grey(photos / '0004.png', annotate_tasks.DEADLY)
    report = annotate(photos, tmp_path / 'out', engine=lambda o: local_engine(o, 2), tries=1)
    assert (report.total['done'], report.total['aside'], report.deaths) == (19, 1, 2)
    (aside,) = json.loads((tmp_path / 'out/shards/000000.json').read_text())['aside']
    assert aside['reason'] == 'the worker died 1 times on it alone'
    write_grey(photos / '0004.png', annotate_tasks.STUCK)
    settings = settings_for()
    options = {'settings': settings, 'settings_id': '', 'output': str(tmp_path / 'stuck')}
    worker = local_engine(options).make(0)
    worker.start()
    shard = next(cut(Listing(str(photos), str(tmp_path / 'stuck')), 8))
    with pytest.raises(WorkerDied, match='no answer within 1 s; ended'):
        worker.annotate(shard, timeout=1)
    worker.close()
    with pytest.raises(WorkerDied, match='gone|closed'):
        worker.annotate(shard, timeout=1)


@pytest.mark.slow
def test_kills_leave_no_trace(tmp_path, root):
    """SIGKILL of workers and of the driver: nothing lost, doubled or different."""
    command = [sys.executable, str(root / 'tools/benchmarks/annotate_kills.py'), str(tmp_path)]
    command += ['--light', '--images', '240', '--kills', '5', '--per-shard', '8']
    command += ['--pause', '0.4', '--delay', '0.03', '--driver-share', '0.2']
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    result = json.loads((tmp_path / 'kills.json').read_text())
    assert result['kills'] == {'driver': 1, 'worker': 4}
    assert result['images'] == 240
