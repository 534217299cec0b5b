# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels at scale: photos, shards, tables, videos and buckets as inputs."""

import io
import json
import tarfile

import numpy as np
import pytest
from annotate_tasks import annotate, final_files, settings_for, write_video
from fsspec.implementations.memory import MemoryFileSystem

from sapiens_inference.annotate import reading
from sapiens_inference.annotate import storage as storage_module
from sapiens_inference.annotate.dataset import read_samples
from sapiens_inference.annotate.plan import cut
from sapiens_inference.annotate.reading import Reader, read_range
from sapiens_inference.annotate.sources import Listing, describe
from sapiens_inference.inputs.video import open_video, read_video
from sapiens_inference.outputs.summary import Stopwatch

arrow = pytest.importorskip('pyarrow', reason='the tables are parquet files', exc_type=ImportError)
from pyarrow import parquet  # noqa: E402


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


def test_a_pattern_of_shards(photos, tmp_path):
    """Local patterns take tar shards, but none that an earlier run has written."""
    for name in ('train-0', 'train-1', 'val-0'):
        shard_of(photos, photos / f'{name}.tar', ['0000'])
    found = entries(f'{photos}/train-*.tar')
    assert [e['name'] for e in found] == ['train-0/0000', 'train-1/0000']
    annotate(f'{photos}/*-0.tar', photos / 'labels', settings_for(('seg',)))
    assert list((photos / 'labels/shards').glob('*.tar'))
    listing = Listing(f'{photos}/**/*[013].*', '/nowhere')
    names = [e['name'] for e in listing]
    assert names == [
        *('0000', '0001', '0003', '0010', '0011', '0013'),
        *('train-0/0000', 'train-1/0000', 'val-0/0000'),
    ]
    assert 'results of a run' in listing.left_out
    assert len(entries(photos)) == 20 + 3


def test_bad_inputs_are_named(photos, tmp_path):
    with pytest.raises(ValueError, match='does not exist'):
        entries(tmp_path / 'nothing')
    table = tmp_path / 'list.parquet'
    parquet.write_table(arrow.table({'file': ['a.png']}), table)
    with pytest.raises(ValueError, match=r"expected a column 'path', found \['file'\]"):
        entries(table)
    (tmp_path / 'no.tar').write_bytes(b'x' * 2000)
    with pytest.raises(ValueError, match='not a readable, uncompressed tar'):
        entries(tmp_path / 'no.tar')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='holds no image'):
        entries(tmp_path / 'empty')


def test_unreadable_inputs_are_set_aside(photos, tmp_path):
    (photos / '0005.png').write_bytes(b'no photo')
    report = annotate(photos, tmp_path / 'out', max_bad_share=0.06)
    assert (report.total['done'], report.total['aside']) == (19, 1)
    shard = json.loads((tmp_path / 'out/shards/000000.json').read_text())
    (aside,) = shard['aside']
    assert aside['input'] == str(photos / '0005.png')
    assert 'no known image format' in aside['reason']


def test_videos_that_cannot_be_opened_are_set_aside(photos, tmp_path, monkeypatch):
    """Listing opens videos too: what is wrong with one is not the fault of the plan."""
    for name, content in (('a_empty', b''), ('b_text', b'no video'), ('c_forbidden', b'secret')):
        (photos / f'{name}.mp4').write_bytes(content)
    (photos / 'd_folder.mp4').mkdir()
    opened = storage_module.LocalFileSystem.open

    def guarded(self, path, *args, **kwargs):
        if 'c_forbidden' in str(path):
            raise PermissionError(13, 'Permission denied')
        return opened(self, path, *args, **kwargs)

    monkeypatch.setattr(storage_module.LocalFileSystem, 'open', guarded)
    found = entries(photos)
    names = [entry['name'] for entry in found if 'part' in entry]
    assert names == ['a_empty', 'b_text', 'c_forbidden'] and len(found) == 23
    reasons = []
    for entry in found[20:]:
        (item,) = Reader([entry], 1, Stopwatch())
        reasons.append(item.error)
    assert 'the file is empty' in reasons[0] and 'Invalid data found' in reasons[1]
    assert 'may not be read (Permission denied)' in reasons[2]


def test_too_many_bad_inputs_stop_the_run(photos, tmp_path):
    for number in range(0, 20, 5):
        (photos / f'{number:04d}.png').write_bytes(b'no photo')
    with pytest.raises(
        ValueError, match='4 of 20 inputs were set aside, more than the share of 0.1'
    ):
        annotate(photos, tmp_path / 'out')
    report = annotate(photos, tmp_path / 'out', max_bad_share=0.2)
    assert (report.total['done'], report.here) == (16, 0)


def _tar(files):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w') as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


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
    names = [e['name'] for e in entries('memory://bucket')]  # of neither output
    assert names == ['more/one/x', *(f'photos/{i:04d}' for i in range(20))]
    memory.store.clear()


def test_cut_keeps_ranges_of_videos_apart():
    photos = [{'name': str(i), 'path': str(i)} for i in range(5)]
    ranges = [{'name': 'v', 'path': 'v.mp4', 'part': i} for i in range(2)]
    shards = list(cut([*photos[:3], *ranges, *photos[3:]], 2))
    sizes = [(shard['shard'], len(shard['inputs'])) for shard in shards]
    assert sizes == [(0, 2), (1, 1), (2, 1), (3, 1), (4, 2)]


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


@pytest.mark.parametrize('part', [0, 1])
def test_frames_after_a_range_that_was_set_aside_have_no_number(tmp_path, monkeypatch, part):
    pytest.importorskip('av')
    write_video(tmp_path / 'film.mp4')

    def deadly(entry):
        if entry['part'] == part:
            raise RuntimeError('the worker dies')
        return read_range(entry)

    monkeypatch.setattr(reading, 'read_range', deadly)
    report = annotate(
        tmp_path / 'film.mp4', tmp_path / 'out', settings_for(('pose',), range_seconds=1.0)
    )
    assert (report.total['done'], report.total['aside']) == (30, 1)
    film = parquet.read_table(tmp_path / 'out/tracks/000000.parquet').to_pydict()
    known = 10 * part
    assert film['frame'] == [*range(known), *[None] * (30 - known)]
    times = np.delete(np.arange(40), slice(known, known + 10)) / 10
    np.testing.assert_allclose(film['time'], times, atol=1e-5)


def test_a_damaged_video_keeps_what_can_be_read(tmp_path):
    pytest.importorskip('av')
    folder = tmp_path / 'videos'
    folder.mkdir()
    (folder / 'none.mp4').write_bytes(b'no film')
    report = annotate(folder, tmp_path / 'out', settings_for(('seg',)))
    assert (report.total['done'], report.total['aside']) == (0, 1)
    (aside,) = json.loads((tmp_path / 'out/shards/000000.json').read_text())['aside']
    assert 'none.mp4 part 0: reading stopped after 0 frames' in aside['reason']
