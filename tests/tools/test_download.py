# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""`tools/data/download.py` against a server of this machine that breaks off, lies, and changes its files."""

import io
import re
import shutil
import sys
import threading
import zipfile
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import data_downloads.fetch as fetching
import numpy as np
import pytest
from data_downloads.chunks import parse_chunks

TEXT = 'Community Data License Agreement'


def make_zip(names, seed):
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, rng.bytes(20_000))
    return buffer.getvalue()


class Server:
    """Files by name, and what to do wrong with them."""

    def __init__(self):
        self.files = {
            f'SynthHuman_{i:04d}.zip': make_zip([f'sub/rgb_{i:07d}.png', f'cam_{i:07d}.txt'], i)
            for i in range(3)
        }
        self.cut_after = []  # bytes after which the next answers break off
        self.tag, self.ranges, self.stated, self.requests = 'one', True, 0, []

    def answer(self, handler, body):
        content = self.files.get(handler.path.rpartition('/')[2])
        if content is None:
            handler.send_error(404)
            return
        wanted = handler.headers.get('Range')
        fresh = handler.headers.get('If-Range') in (None, self.tag)
        start = int(re.match(r'bytes=(\d+)-', wanted)[1]) if wanted and self.ranges and fresh else 0
        part = content[start:]
        handler.send_response(206 if start else 200)
        handler.send_header('Content-Length', str(len(part) + self.stated))
        handler.send_header('ETag', self.tag)
        handler.end_headers()
        if not body:
            return
        self.requests.append(start)
        if self.cut_after:
            part = part[: self.cut_after.pop(0)]
        handler.wfile.write(part)
        handler.wfile.flush()
        handler.close_connection = True


@pytest.fixture
def server(monkeypatch):
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.answer(self, body=True)

        def do_HEAD(self):
            state.answer(self, body=False)

        def log_message(self, *args):
            pass

    web = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f'http://127.0.0.1:{web.server_port}/data'
    monkeypatch.setattr(fetching, 'PAUSE', 0.001)
    monkeypatch.setattr(fetching, 'BLOCK', 1000)
    yield state
    web.shutdown()
    web.server_close()


@pytest.fixture
def download(server, tmp_path, monkeypatch, exit_of):
    """`download(*options, answer=...)`: exit code or message, and output, of the command."""

    def run(*options, answer=None, chunks='0-1'):
        given = ['synthhuman', '--out', tmp_path / 'out', '--chunks', chunks]
        given += ['--base-url', server.url]
        monkeypatch.setattr(sys, 'stdin', io.StringIO('' if answer is None else f'{answer}\n'))
        return exit_of('tools/data/download.py', *given, *options)

    run.out = tmp_path / 'out'
    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_agree_fetch_and_unpack(download, server):
    status, output = download(answer='yes')
    assert status == 0, output
    assert TEXT in output and 'Do you accept CDLA-Permissive-2.0?' in output
    assert '2 of 60 zip files to fetch, 0 asked for are done; download 0.00 GB' in output
    licence = 'LICENSE-CDLA-Permissive-2.0.txt'
    assert names(download.out) == [licence, 'cam_0000000.txt', 'cam_0000001.txt',
                                   'rgb_0000000.png', 'rgb_0000001.png']  # fmt: skip
    assert TEXT in (download.out / licence).read_text()
    with zipfile.ZipFile(io.BytesIO(server.files['SynthHuman_0001.zip'])) as archive:
        expected = archive.read('sub/rgb_0000001.png')
    assert (download.out / 'rgb_0000001.png').read_bytes() == expected
    assert not list(download.out.rglob('*.zip')) and not list(download.out.rglob('*.part'))
    # Again: nothing is fetched; one more chunk: it alone.
    before = len(server.requests)
    status, output = download()
    assert status == 0 and '0 of 60 zip files to fetch, 2 asked for are done' in output
    download('--accept-licence', '--keep-zips', chunks='0-2')
    assert len(server.requests) == before + 1
    assert (download.out / '.chunks/SynthHuman_0002.zip').is_file()


def test_nothing_without_consent(download, server):
    status, _ = download(answer='no')
    assert 'the licence was not accepted; nothing was downloaded' in status
    status, _ = download()
    assert 'nobody can be asked here; --accept-licence accepts the licence' in status
    status, output = download('--dry-run')
    assert status == 0 and f'{server.url}/SynthHuman_0000.zip' in output
    assert not download.out.exists() and not server.requests


def test_broken_connections_are_continued(download, server):
    server.cut_after = [5000, 12_000, 7000]
    status, output = download('--accept-licence')
    assert status == 0, output
    assert server.requests[:4] == [0, 5000, 17_000, 24_000]


def test_a_stopped_run_continues(download, server, monkeypatch):
    server.cut_after = [9000] + [0] * fetching.ATTEMPTS
    status, _ = download('--accept-licence')
    size = len(server.files['SynthHuman_0000.zip'])
    assert f'the connection ended; 9000 of {size} bytes are kept in' in status
    assert 'the same command continues' in status
    server.requests.clear()
    assert download('--accept-licence')[0] == 0
    assert server.requests == [9000, 0]


@pytest.mark.parametrize('what', ['changed', 'no ranges', 'changed while it came'])
def test_a_file_is_never_put_together_from_two(download, server, what):
    server.cut_after = [9000] + ([] if what == 'changed while it came' else [0] * fetching.ATTEMPTS)
    if what != 'changed while it came':
        download('--accept-licence', chunks='0')
    if what == 'no ranges':
        server.ranges = False
    elif what == 'changed':
        server.tag, server.files['SynthHuman_0000.zip'] = (
            'two',
            make_zip(['rgb_0000009.png'], 9),
        )
    else:
        append = fetching._append

        def change(*args):
            append(*args)
            server.tag = 'two'

        fetching._append = change
    try:
        status, output = download('--accept-licence', chunks='0')
    finally:
        if what == 'changed while it came':
            fetching._append = append
    assert status == 0, output
    expected = 'rgb_0000009.png' if what == 'changed' else 'rgb_0000000.png'
    assert expected in names(download.out)
    assert server.requests[-1] == 0  # from the beginning


def test_wrong_sizes_and_damaged_zips(download, server):
    server.stated = 100  # more than comes
    status, _ = download('--accept-licence')
    assert 'bytes are kept in' in status
    server.stated = 0
    server.tag = 'two'
    content = bytearray(server.files['SynthHuman_0000.zip'])
    content[3000:3100] = bytes(100)
    server.files['SynthHuman_0000.zip'] = bytes(content)
    status, _ = download('--accept-licence')
    assert 'SynthHuman_0000.zip: damaged on its way or at its source' in status
    assert not (download.out / '.chunks/SynthHuman_0000.zip').exists()
    server.files['SynthHuman_0000.zip'] = make_zip(['a/x.png', 'b/x.png'], 0)
    status, _ = download('--accept-licence')
    assert 'two of its files have one name' in status


def test_members_stay_in_the_folder(download, server):
    server.files['SynthHuman_0000.zip'] = make_zip(['../../rgb_0000007.png', '/etc/cam.txt'], 0)
    assert download('--accept-licence', chunks='0')[0] == 0
    assert {'rgb_0000007.png', 'cam.txt'} < set(names(download.out))
    assert not (download.out.parent.parent / 'rgb_0000007.png').exists()


def test_free_disk_is_looked_at_first(download, server, monkeypatch):
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage(10, 9, 1))
    status, _ = download('--accept-licence')
    assert re.search(r'out: 0\.00 GB are needed .*, 0\.00 GB are free; take fewer chunks', status)
    assert not download.out.exists() and not server.requests


def test_missing_files_and_bad_ranges(download, server):
    status, _ = download(chunks='3')
    assert 'SynthHuman_0003.zip: the server answers 404' in status
    assert parse_chunks('all', 60) == list(range(60)) and parse_chunks('7,0-2', 60) == [0, 1, 2, 7]
    for text, message in (
        ('60', 'expected rising numbers from 0 to 59'),
        ('3-1', 'expected rising numbers'),
        ('a', "expected 'all', '3'"),
        ('1-', "expected 'all', '3'"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_chunks(text, 60)


def test_the_shipped_licence_is_the_samples(root):
    text = Path(root / 'tools/data_downloads/licences/CDLA-Permissive-2.0.txt').read_text()
    sample = root / 'tests/data/synthhuman/LICENSE-CDLA-Permissive-2.0.txt'
    assert text == sample.read_text()
