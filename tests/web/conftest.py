# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest
import torch
from mmengine.config import Config

from sapiens_inference.engine.models import build_model

RECIPE = 'configs/multitask/sapiens_tiny_synthetic.py'
# The browser must reach nothing but this page, and says so at start otherwise.
QUIET = ('--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync')
QUIET += ('--disable-background-networking', '--disable-component-update')


@pytest.fixture(scope='session')
def random_weights(root, tmp_path_factory):
    """A multitask checkpoint of random weights, and its config: what it sees does not matter here."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'random.pth'
    model = build_model(Config.fromfile(str(root / RECIPE)))
    torch.save({'state_dict': model.state_dict()}, path)
    return path, root / RECIPE


@contextmanager
def started_page(root, random_weights, folder):
    """Address of the page as a user starts it; ended in the end, when nothing of a visitor stays."""
    weights, config = random_weights
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(root / 'tools/web_demo.py'), '--port', str(port)]
    command += ['--weights', f'multitask={weights}', '--model', f'multitask={config}']
    command += ['--device', 'cpu', '--dtype', 'float32']
    command += ['--max-megapixels', '1', '--max-frames', '40']
    log = (folder / 'log').open('w+')
    env = {**os.environ, 'TMPDIR': str(folder)}
    server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=root, env=env)
    address = f'http://127.0.0.1:{port}'
    for _ in range(240):
        try:
            urllib.request.urlopen(address, timeout=2).read()
            break
        except OSError:
            assert server.poll() is None, log.seek(0) or log.read()
            time.sleep(0.5)
    yield address
    assert list(folder.glob('sapiens-web-*'))
    server.terminate()
    assert server.wait(30) == 0
    assert not list(folder.glob('sapiens-web-*'))


@pytest.fixture(scope='module')
def page_address(root, random_weights, tmp_path_factory):
    """Address of a page for all tests."""
    with started_page(root, random_weights, tmp_path_factory.mktemp('page')) as address:
        yield address


@pytest.fixture
def start_page(root, random_weights, tmp_path):
    """Starts a page of the test's own, see :func:`started_page`."""
    return lambda: started_page(root, random_weights, tmp_path)


@pytest.fixture(scope='module')
def browser():
    """Headless Chromium of the system's packages.

    Not of the session: workers that other tests fork hold its pipe open, and closing it would wait for them.
    """
    path = shutil.which('chromium')
    if path is None:
        pytest.skip('no chromium on this machine: apt-get install chromium')
    sync_api = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield found
        found.close()
