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


def test_links_of_the_readme_lead_somewhere(root):
    for path in [root / 'README.md', *root.glob('*/README.md')]:
        for link in re.findall(r'\]\(([^)#]+?)(?:#[^)]*)?\)', path.read_text(encoding='utf-8')):
            if not link.startswith('http'):
                assert (path.parent / link).exists(), f'{path}: {link}'
