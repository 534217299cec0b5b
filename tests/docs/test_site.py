# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The documentation site builds without a warning: every page is in its navigation, every link is right."""

import os
import re
import subprocess
import sys

import pytest


def test_the_site_builds(root, tmp_path):
    pytest.importorskip('mkdocs', reason='MkDocs is an extra')
    result = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', str(tmp_path / 'site')],
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, 'NO_MKDOCS_2_WARNING': '1'},
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert (tmp_path / 'site/pose/index.html').is_file()


def anchors_of(page):
    """The anchors of a page's headings, as MkDocs and GitHub make them."""
    headings = re.findall(r'^#+ (.*)$', page.read_text(encoding='utf-8'), re.MULTILINE)
    return {
        re.sub(r'[^\w -]', '', heading.lower()).strip().replace(' ', '-') for heading in headings
    }


def test_links_outside_of_the_site_lead_somewhere(root):
    pages = [root / 'README.md', root / 'CONTRIBUTING.md', *root.glob('*/README.md')]
    for page in pages:
        for link, anchor in re.findall(r'\]\(([^)#]+?)(?:#([^)]*))?\)', page.read_text('utf-8')):
            if not link.startswith('http'):
                assert (page.parent / link).exists(), f'{page}: {link}'
                assert not anchor or anchor in anchors_of(page.parent / link), f'{page}: {anchor}'
