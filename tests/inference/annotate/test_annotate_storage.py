# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels on S3, through s3fs and a server of this machine; storage that fails; drivers that meet on one folder."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager

import fsspec
import pyarrow as arrow
import pytest
from annotate_tasks import Inline, final_files, inline_engine, write_photos, write_video
from pyarrow import parquet

from sapiens_inference.annotate import lease, run, storage
from sapiens_inference.annotate.engines import Engine
from sapiens_inference.annotate.lease import LEASE, Lease
from sapiens_inference.annotate.reading import Reader
from sapiens_inference.annotate.run import Run
from sapiens_inference.annotate.settings import Settings
from sapiens_inference.annotate.sources import Listing
from sapiens_inference.annotate.storage import Storage, StorageError, StoredFile
from sapiens_inference.outputs.summary import Stopwatch


class Server:
    """``rclone serve s3`` over a folder, whose sub-folders are the buckets."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.address = f'127.0.0.1:{free.getsockname()[1]}'

    def start(self):
        command = [shutil.which('rclone') or 'rclone', 'serve', 's3', str(self.folder)]
        command += ['--addr', self.address, '--auth-key', 'key,secret']
        command += ['--config', os.devnull]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while 'Starting s3 server' not in self.process.stderr.readline():
            assert self.process.poll() is None

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


@pytest.fixture
def s3(tmp_path, monkeypatch):
    """A server with the bucket ``bucket``, which this process and its children find by the usual variables."""
    pytest.importorskip('s3fs')
    server = Server(tmp_path / 'server')
    (server.folder / 'bucket').mkdir(parents=True)
    server.start()
    settings = {'ENDPOINT_URL': f'http://{server.address}', 'MAX_ATTEMPTS': '1'}
    settings |= {'ACCESS_KEY_ID': 'key', 'SECRET_ACCESS_KEY': 'secret'}
    settings |= {'RESPONSE_CHECKSUM_VALIDATION': 'when_required'}  # rclone's are of the whole file
    for name, value in settings.items():
        monkeypatch.setenv(f'AWS_{name}', value)
    monkeypatch.setattr(storage, 'WAITS', ())
    fsspec.get_filesystem_class('s3').clear_instance_cache()
    yield server
    server.stop()


@pytest.fixture
def quick(monkeypatch):
    """Drivers that are impatient."""
    monkeypatch.setattr(lease, 'BEAT', 0.1)
    monkeypatch.setattr(run, 'STORAGE_PAUSE', 0.01)


SETTINGS = Settings(
    dict.fromkeys(('seg', 'pose', 'depth'), 'none'),
    boxes='image',
    per_shard=8,
    range_seconds=1.0,
    builder='annotate_tasks:build',
)


def start(place, out, engine=inline_engine):
    made = Run(str(place), str(out), SETTINGS)
    options = {'settings': SETTINGS, 'settings_id': made.settings_id}
    return made.run(engine({**options, 'output': made.storage.place, 'tries': 2}), quiet=True)


def test_labels_on_s3_are_those_on_a_disk(s3, tmp_path):
    """Photos, a tar shard and a video of a bucket, and lists in it, to a folder and to the bucket."""
    bucket = s3.folder / 'bucket'
    write_photos(bucket / 'in put', 18)
    with tarfile.open(bucket / 'in put/shard.tar', 'w') as archive:
        archive.add(bucket / 'in put/0003.png', 'a/three.png')
    write_video(bucket / 'in put/film.mp4', frames=20)
    report = start('s3://bucket/in put', 's3://bucket/out')
    assert (report.total['done'], report.total['aside'], report.total['videos']) == (39, 0, 1)
    start('s3://bucket/in put', tmp_path / 'out')
    there = final_files(tmp_path / 'out')
    assert final_files(bucket / 'out') == there
    assert {'tracks/000003.parquet', 'manifest.json', 'shards/000005.tar'} <= there.keys()
    again = start('s3://bucket/in put', 's3://bucket/out')
    assert (again.total['done'], again.here) == (39, 0)
    assert not (bucket / 'out' / LEASE).exists()

    names = ['in put/0004.png', 's3://bucket/in put/0005.png']
    fs = fsspec.filesystem('s3')
    fs.pipe_file('bucket/list.txt', '\n'.join(names).encode())
    with fs.open('bucket/list.parquet', 'wb') as file:
        parquet.write_table(arrow.table({'path': names}), file)
    for place in ('list.txt', 'list.parquet', 'in put/000[45].png'):
        out = f's3://bucket/{place.replace("/", "_")}.out'
        assert start(f's3://bucket/{place}', out).total['done'] == 2


def test_what_is_missing_or_forbidden_is_said(s3, tmp_path, monkeypatch):
    for place in ('s3://bucket/nothing', 's3://nobody/in'):
        with pytest.raises(ValueError, match=f'{place} holds no photo, video or tar shard'):
            list(Listing(place, '/out'))
    with pytest.raises(ValueError, match=r'list s3://bucket/no.txt does not exist'):
        list(Listing('s3://bucket/no.txt', '/out'))
    write_photos(tmp_path / 'photos', 8)
    with pytest.raises(StorageError, match='nobody/out/log/driver.json cannot be written'):
        start(tmp_path / 'photos', 's3://nobody/out')
    fsspec.get_filesystem_class('s3').clear_instance_cache()
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', 'wrong')
    with pytest.raises(
        StorageError, match=r's3://bucket/in cannot be listed \(The request signature'
    ):
        list(Listing('s3://bucket/in', '/out'))
    (tmp_path / 'list.txt').write_text('\n'.join(f's3://bucket/{i}.png' for i in range(8)))
    with pytest.raises(StorageError, match='8 of 8 inputs .* may not be read, .*credentials'):
        start(tmp_path / 'list.txt', tmp_path / 'out')


@pytest.mark.usefixtures('quick')
def test_a_server_that_goes_down_ends_the_run_and_is_nobodys_fault(s3, tmp_path):
    """Its errors are botocore's, not of OSError; the next start goes on, with the same labels."""
    bucket = s3.folder / 'bucket'
    write_photos(bucket / 'in', 24)
    start('s3://bucket/in', tmp_path / 'good')

    class Unlucky(Inline):
        def annotate(self, shard, timeout):
            if shard['shard'] == 1:
                s3.stop()
            return super().annotate(shard, timeout)

    with pytest.raises(StorageError, match=r'cannot be read \(Could not connect to the endpoint'):
        start(
            's3://bucket/in',
            's3://bucket/out',
            lambda options: Engine(1, lambda _: Unlucky(options)),
        )
    sealed = [path.name for path in (bucket / 'out/shards').glob('*.json')]
    assert sealed == ['000000.json']
    s3.start()
    report = start('s3://bucket/in', 's3://bucket/out')
    assert (report.total['done'], report.total['aside'], report.here) == (24, 0, 16)
    assert final_files(bucket / 'out') == final_files(tmp_path / 'good')


@pytest.mark.slow
def test_kills_over_s3_leave_no_trace(s3, tmp_path, root):
    """SIGKILL of workers and of the driver, all photos and labels in a bucket."""
    command = [sys.executable, str(root / 'tools/benchmarks/annotate_kills.py'), str(tmp_path)]
    command += ['--place', 's3://bucket/kills', '--light', '--images', '120', '--kills', '2']
    command += ['--per-shard', '8', '--pause', '0.4', '--delay', '0.03', '--driver-share', '0.5']
    found = subprocess.run(command, capture_output=True, text=True)
    path = tmp_path / 'kills.json'
    assert path.exists(), found.stdout + found.stderr
    result = json.loads(path.read_text())
    assert result['kills'] and result['images'] == 120
    wrong = ('lost', 'doubled', 'files_differing', 'files_more')
    assert not any(result[name] for name in wrong), result


def test_a_video_whose_storage_fails_is_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / 'film.mp4'
    write_video(path)
    reads = []

    class Lost(io.FileIO):
        def read(self, size=-1):
            reads.append(size)
            if len(reads) > 2:
                raise RuntimeError('connection lost')  # of a library's own type
            return super().read(min(size, 1000))

    @contextmanager
    def open_lost(place):
        with io.BufferedReader(StoredFile(Lost(place), place, Exception), 1000) as file:
            yield file

    monkeypatch.setattr('sapiens_inference.annotate.sources.open_file', open_lost)
    entry = {'name': 'film', 'path': str(path), 'part': 0, 'start': 0.0, 'stop': None}
    with pytest.raises(StorageError, match=r'film.mp4 cannot be read \(connection lost\)'):
        list(Reader([entry], 1, Stopwatch()))


class Poor(Inline):
    """A worker on a machine whose disk is full."""

    def annotate(self, shard, timeout):
        time.sleep(0.01)
        return {'stop': '/tmp cannot be written (No space left on device)'}


@pytest.mark.usefixtures('quick')
def test_storage_that_fails_for_one_worker_alone_does_not_end_the_run(tmp_path):
    write_photos(tmp_path / 'photos', 40)
    kinds = [Poor, Inline]
    report = start(
        tmp_path / 'photos',
        tmp_path / 'out',
        lambda options: Engine(2, lambda place: kinds[place](options)),
    )
    assert report.total['done'] == 40 and report.deaths >= 1
    start(tmp_path / 'photos', tmp_path / 'good')
    assert final_files(tmp_path / 'out') == final_files(tmp_path / 'good')
    with pytest.raises(StorageError, match='No space left on device'):
        start(
            tmp_path / 'photos',
            tmp_path / 'full',
            lambda options: Engine(2, lambda place: Poor(options)),
        )


@pytest.mark.usefixtures('quick')
def test_two_drivers_do_not_share_a_folder(tmp_path):
    write_photos(tmp_path / 'photos', 8)
    first = Lease(Storage(str(tmp_path / 'out')))
    first.take()
    with pytest.raises(ValueError, match=f'being labelled by process {os.getpid()} on .*--workers'):
        start(tmp_path / 'photos', tmp_path / 'out')
    assert not (tmp_path / 'out/settings.json').exists()  # not even that was written
    first.check()
    first.release()
    assert start(tmp_path / 'photos', tmp_path / 'out').total['done'] == 8


@pytest.mark.usefixtures('quick')
def test_a_driver_that_was_away_stops_when_another_has_taken_the_folder(tmp_path):
    folder = Storage(str(tmp_path))
    first, second = Lease(folder), Lease(folder)
    first.take()
    folder.write(LEASE, json.dumps({**first.content, 'id': 'frozen', 'host': 'elsewhere'}).encode())
    second.take()  # nobody renews it
    time.sleep(0.5)
    second.check()
    with pytest.raises(ValueError, match='another driver has taken'):
        first.check()
    first.release()
    assert json.loads(folder.read(LEASE))['id'] == second.content['id']
    second.release()
    assert not folder.exists(LEASE)


def test_the_lease_of_a_killed_driver_of_this_machine_is_taken_at_once(tmp_path):
    code = (
        'from sapiens_inference.annotate.lease import *\nimport os\n'
        f'Lease(Storage({str(tmp_path)!r})).take()\nos.kill(os.getpid(), 9)'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == -9
    assert (tmp_path / LEASE).exists()
    mine, begun = Lease(Storage(str(tmp_path))), time.monotonic()
    mine.take()
    assert time.monotonic() - begun < lease.BEAT
    mine.release()
