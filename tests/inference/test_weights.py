# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch

from sapiens_common.weights import (
    find_config,
    find_weights,
    is_published,
    lookup,
    published_names,
    sha256_of,
)

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()
FILE = 'sapiens_1b_goliath_best_goliath_AP_639.pth'
ROUTE = f'/facebook/sapiens-pose-1b/resolve/main/{FILE}'


@pytest.fixture
def hub():
    """A Hugging Face hub on this machine with one file; `hub.content` is what it sends."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.reply(body=False)

        def do_GET(self):
            self.reply(body=True)

        def reply(self, body):
            self.server.asked.append(f'{self.command} {self.path}')
            if self.path != ROUTE:
                self.send_response(self.server.missing)
                if self.server.missing == 404:
                    self.send_header('X-Error-Code', 'EntryNotFound')
                self.send_header('Content-Length', '0')
                self.end_headers()
                return
            self.send_response(200)
            self.send_header('X-Repo-Commit', 'a' * 40)
            self.send_header('ETag', f'"{DIGEST}"')
            self.send_header('X-Linked-Etag', f'"{DIGEST}"')
            self.send_header('X-Linked-Size', str(len(CONTENT)))
            self.send_header('Content-Length', str(len(CONTENT)))
            self.end_headers()
            if body:
                self.wfile.write(self.server.content)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.asked, server.content, server.missing = [], CONTENT, 404
    server.url = f'http://127.0.0.1:{server.server_port}'
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def resolve_afresh(tmp_path, root, **variables):
    """`find_weights` in a process of its own: huggingface_hub reads its settings at import."""
    code = (
        'from sapiens_common.weights import find_weights\n'
        'print("FOUND", find_weights("sapiens_1b/pose_goliath"))'
    )
    environment = {
        **os.environ,
        'PYTHONPATH': str(root / 'common'),
        'HF_HOME': str(tmp_path / 'hf'),
        **variables,
    }
    done = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1], done.stdout + done.stderr


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch):
    """An empty cache, and no weights of the user's."""
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path / 'cache'))
    monkeypatch.delenv('SAPIENS_WEIGHTS', raising=False)


def test_download_cache_licence_and_offline_mode(tmp_path, root, hub):
    answer, output = resolve_afresh(tmp_path, root, HF_ENDPOINT=hub.url)
    assert answer.startswith('FOUND') and answer.endswith(FILE)
    assert Path(answer.removeprefix('FOUND ')).read_bytes() == CONTENT
    assert 'CC BY-NC 4.0' in output and 'facebook/sapiens-pose-1b' in output
    asked = [line for line in hub.asked if line.endswith(ROUTE)]
    assert asked == [f'HEAD {ROUTE}', f'GET {ROUTE}']
    # From the cache, in offline mode: nothing is asked.
    again, output = resolve_afresh(tmp_path, root, HF_HUB_OFFLINE='1')
    assert again == answer and 'CC BY-NC' not in output


def test_a_wrong_checksum_removes_the_file_and_is_said(hub, fresh_cache, monkeypatch):
    monkeypatch.setenv('HF_ENDPOINT', hub.url)
    hub.content = CONTENT[::-1]
    with pytest.raises(ValueError, match=f'expected {DIGEST}. The file was removed'):
        find_weights('sapiens_1b/pose_goliath')
    hub.content = CONTENT
    assert find_weights('sapiens_1b/pose_goliath').read_bytes() == CONTENT


def test_without_a_network_the_error_says_which_file_to_place_where(
    tmp_path, fresh_cache, monkeypatch
):
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
    monkeypatch.setenv('SAPIENS_WEIGHTS', str(tmp_path))
    with pytest.raises(ValueError) as error:
        find_weights('sapiens_1b/pose_goliath')
    assert f'https://huggingface.co{ROUTE}' in str(error.value)
    assert f'place it as {FILE} in {tmp_path}' in str(error.value)
    (tmp_path / FILE).write_bytes(CONTENT)
    assert find_weights('sapiens_1b/pose_goliath') == tmp_path / FILE


def test_a_file_the_hub_does_not_have_is_an_error_of_ours(hub, fresh_cache, monkeypatch):
    monkeypatch.setenv('HF_ENDPOINT', hub.url)
    with pytest.raises(ValueError, match=r'sapiens_0\.3b/seg_goliath: cannot be downloaded'):
        find_weights('sapiens_0.3b/seg_goliath')


def test_urls(hub, fresh_cache, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'torch'))
    found = find_weights(hub.url + ROUTE)
    assert found.read_bytes() == CONTENT and found.name == FILE
    asked = len(hub.asked)
    assert find_weights(hub.url + ROUTE) == found and len(hub.asked) == asked  # kept
    monkeypatch.setenv('HF_ENDPOINT', hub.url)
    found = find_weights(f'hf://facebook/sapiens-pose-1b/{FILE}@main')
    assert found.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ('url', 'message'),
    [
        ('s3://bucket/a.pth', 's3://bucket/a.pth is not a URL that weights are read from'),
        ('hf://a.pth', 'hf://a.pth is not a URL that weights are read from'),
        ('{hub}/none.pth', 'none.pth cannot be downloaded .*404.*pass its path'),
        ('http://127.0.0.1:9/a.pth', 'a.pth cannot be downloaded .*refused'),
        ('hf://facebook/sapiens-pose-1b/none.pth', 'none.pth cannot be downloaded'),
    ],
)
def test_urls_that_fail(hub, fresh_cache, monkeypatch, tmp_path, url, message):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'torch'))
    monkeypatch.setenv('HF_ENDPOINT', hub.url)
    with pytest.raises(ValueError, match=message):
        find_weights(url.format(hub=hub.url))
    assert not list(tmp_path.rglob('*.pth'))


def test_names_files_and_formats():
    assert lookup('sapiens_1b/pose_goliath').file == FILE
    traced = lookup('sapiens_0.3b/seg_goliath@torchscript')
    assert traced.repo == 'facebook/sapiens-seg-0.3b-torchscript'
    assert traced.file == 'sapiens_0.3b_goliath_best_goliath_mIoU_7673_epoch_194_torchscript.pt2'
    whole = lookup('sapiens_2b/pose_coco_wholebody')
    assert whole.repo == 'noahcao/sapiens-pose-coco'
    assert whole.file.endswith(
        'sapiens_2b/sapiens_2b_coco_wholebody_best_coco_wholebody_AP_745.pth'
    )
    assert is_published('sapiens_2b/depth_render_people') and not is_published(
        'sapiens_2b/pose_goliath'
    )
    with pytest.raises(ValueError, match='neither a file nor a published name'):
        lookup('sapiens_9b/pose_goliath')
    with pytest.raises(ValueError, match="not published as 'torchscript', only as original"):
        lookup('sapiens_1b/pose_coco@torchscript')
    with pytest.raises(ValueError, match=r'weights none\.pth: the file does not exist'):
        find_weights('none.pth')


def test_every_published_checkpoint_has_a_config():
    for name in published_names():
        assert find_config(name).is_file(), name


def test_configs_are_found_by_name_and_relative_path(root):
    expected = root / 'configs/det/rtmdet_m_person.py'
    assert find_config('rtmdet_m/det_person') == expected
    assert find_config('det/rtmdet_m_person.py') == expected
    assert find_config(expected) == expected
    with pytest.raises(ValueError, match='neither a config file nor a name'):
        find_config('sapiens_1b/pose_martian')


STEMS = {  # as the model cards of the published weights name them
    'pretrain_humans300m': ['epoch_1600', 'epoch_1600', 'epoch_173', 'epoch_660'],
    'pose_goliath': [f'goliath_best_goliath_AP_{ap}' for ap in (573, 609, 639)],
    'seg_goliath': [
        f'goliath_best_goliath_mIoU_{end}'
        for end in ('7673_epoch_194', '7777_epoch_178', '7994_epoch_151')
    ],
    'depth_render_people': [f'render_people_epoch_{n}' for n in (100, 70, 88, 25)],
    'normal_render_people': [f'normal_render_people_epoch_{n}' for n in (66, 200, 115, 70)],
}


@pytest.mark.parametrize('recipe', STEMS)
def test_the_table_names_the_published_files(recipe):
    task = recipe.partition('_')[0]
    for size, end in zip(('0.3b', '0.6b', '1b', '2b'), STEMS[recipe], strict=False):
        entry, traced = (lookup(f'sapiens_{size}/{recipe}{kind}') for kind in ('', '@torchscript'))
        assert (entry.repo, entry.file) == (
            f'facebook/sapiens-{task}-{size}',
            f'sapiens_{size}_{end}.pth',
        )
        assert traced.repo == f'{entry.repo}-torchscript'
        if (size, task) == ('1b', 'pose'):
            end = end.replace('639', '640')  # so it is called in the only public mention
        assert traced.file == f'sapiens_{size}_{end}_torchscript.pt2'
        assert 'CC BY-NC 4.0' in entry.licence
    if len(STEMS[recipe]) == 3:
        assert not is_published(f'sapiens_2b/{recipe}')


def test_the_table_names_sapiens2():
    tasks = ('0.4b', '0.8b', '1b', '5b')
    sizes = {
        'pretrain': ('0.1b', '0.4b', '0.8b', '1b', '1b_4k', '5b'),
        **dict.fromkeys(('pose', 'seg', 'normal', 'pointmap'), tasks),
        'matting': ('1b',),
    }
    expected = {f'sapiens2_{size}/{task}' for task, found in sizes.items() for size in found}
    assert {name for name in published_names() if name.startswith('sapiens2_')} == expected
    for name in expected:
        entry = lookup(name)
        size, task = name.removeprefix('sapiens2_').split('/')
        assert entry.repo == f'facebook/sapiens2-{task}-{size.replace("_", "-")}'
        assert entry.file == f'sapiens2_{size}_{task}.safetensors'
        assert entry.licence.startswith('Sapiens2 License')
        assert 'https://github.com/facebookresearch/sapiens2/blob/main/LICENSE.md' in entry.licence
        assert 'prohibited uses: surveillance' in entry.licence


def test_a_name_without_data_means_the_published_recipe(root):
    expected = root / 'configs/pretrain/sapiens2_1b_4k_humans1b.py'
    assert find_config('sapiens2_1b_4k/pretrain') == expected
    assert find_config('sapiens2_1b_4k/pretrain_humans1b') == expected


@pytest.mark.parametrize('status', [401, 403])
def test_a_gated_file_says_where_to_accept_the_licence(hub, fresh_cache, monkeypatch, status):
    monkeypatch.setenv('HF_ENDPOINT', hub.url)
    hub.missing = status
    with pytest.raises(ValueError, match='accept the licence there') as error:
        find_weights('sapiens2_1b/pretrain')
    assert 'https://huggingface.co/facebook/sapiens2-pretrain-1b' in str(error.value)


def test_our_own_weights_travel_with_the_suite(monkeypatch, tmp_path):
    monkeypatch.setenv('HF_ENDPOINT', 'http://127.0.0.1:9')  # nothing is asked of the net
    name = 'sapiens_tiny/multitask_synthetic'
    entry = lookup(name)
    assert entry.carried and entry.licence == 'Apache-2.0'
    path = find_weights(name)
    assert path.is_file() and path.stat().st_size < 12e6
    assert sha256_of(path) == entry.sha256
    assert find_config(name).name == 'sapiens_tiny_synthetic.py'
