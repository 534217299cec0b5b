# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Which files of a folder are inputs, and what is said of the others."""

import os

import cv2
import pytest

from sapiens_inference.engine.run import run_tasks
from sapiens_inference.inputs.folders import find_by_pattern, find_in_folder
from sapiens_inference.inputs.sources import open_inputs


@pytest.fixture
def write(photo, tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix in ('.png', '.jpg'):
                cv2.imwrite(str(path), photo())
            else:
                path.write_text('x')

    return make


def names_of(found):
    return [path.relative_to(found.root).as_posix() for path in found.paths]


def test_links_are_followed_and_circles_end(write, tmp_path):
    write('in/a.png', 'in/deep/b.png', 'elsewhere/c.png', 'elsewhere/more/d.png', 'one.png')
    os.symlink(tmp_path / 'elsewhere', tmp_path / 'in/linked')
    os.symlink(tmp_path / 'one.png', tmp_path / 'in/deep/one.png')
    os.symlink(tmp_path / 'in', tmp_path / 'in/deep/circle')
    os.symlink(tmp_path / 'in/deep', tmp_path / 'in/again')
    os.symlink(tmp_path / 'gone.png', tmp_path / 'in/gone.png')
    found = find_in_folder(tmp_path / 'in')
    assert names_of(found) == [
        'a.png',
        'deep/b.png',
        'deep/one.png',
        'linked/c.png',
        'linked/more/d.png',
    ]
    assert found.left_out == {
        'a link to a folder that is read anyway': {'count': 2, 'first': str(tmp_path / 'in/again')},
        'a link that leads nowhere': {'count': 1, 'first': str(tmp_path / 'in/gone.png')},
    }


def test_a_pattern_meets_each_file_once(write, tmp_path):
    write('in/a.png', 'in/deep/b.png', 'in/deep/notes.md')
    os.symlink(tmp_path / 'in', tmp_path / 'in/deep/circle')
    found = find_by_pattern(tmp_path / 'in/**/*')
    assert names_of(found) == ['a.png', 'deep/b.png']
    assert found.left_out == {
        'suffix .md': {'count': 1, 'first': str(tmp_path / 'in/deep/notes.md')}
    }


def test_what_is_left_out_is_counted_by_its_reason(write, mean_task, tmp_path):
    write('in/a.png', 'in/b.md', 'in/c.MD', 'in/.hidden.png', 'in/.cache/d.png', 'in/README')
    os.mkfifo(tmp_path / 'in/pipe.png')
    summary = run_tasks([mean_task(needs_boxes=False)], tmp_path / 'in', tmp_path / 'out')
    counts = {reason: entry['count'] for reason, entry in summary.left_out.items()}
    assert counts == {'suffix .md': 2, 'hidden': 2, 'no suffix': 1, 'not a regular file': 1}
    assert f'left out: 2 x hidden ({tmp_path}/in/.cache), 2 x suffix .md (' in str(summary)
    assert summary.inputs == summary.done == 1


def test_suffixes_that_work_singly_work_in_folders(tmp_path, photo):
    from PIL import Image

    pytest.importorskip('pillow_heif').register_heif_opener()
    picture = Image.fromarray(photo()[..., ::-1].copy())
    for name, form in {
        'a.gif': 'GIF',
        'b.avif': 'AVIF',
        'c.HEIC': 'HEIF',
        'd.jfif': 'JPEG',
    }.items():
        picture.save(tmp_path / name, form)
    assert [item.path.name for item in open_inputs(tmp_path).items] == [
        'a.gif',
        'b.avif',
        'c.HEIC',
        'd.jfif',
    ]


def test_results_of_any_run_are_not_inputs(write, mean_task, tmp_path):
    """Also with the inputs' own folder as the output, and where a killed run left no summary."""
    write('in/a.png', 'in/sub/b.png')
    for out in ('in', 'in/new/deep', 'elsewhere'):
        summary = run_tasks([mean_task(needs_boxes=False)], tmp_path / 'in', tmp_path / out)
        (tmp_path / out / 'mean/summary.json').unlink()
        assert summary.inputs == 2, out
    assert f'2 x results of a run ({tmp_path}/in/mean)' in str(summary)
    with pytest.raises(
        ValueError, match=r'holds no image or video.*; left out: .*results of a run'
    ):
        find_in_folder(tmp_path / 'in/new')
    assert find_in_folder(tmp_path / 'in/new/deep/mean').paths  # named on purpose
    # What exports wrote into it has no mark, so the whole folder of the output is left out, and said.
    assert (
        find_in_folder(tmp_path / 'in', tmp_path / 'in/sub').left_out['results of a run']['count']
        == 3
    )


def test_a_folder_that_cannot_be_read_is_said(write, tmp_path, monkeypatch):
    write('in/a.png', 'in/secret/b.png')
    scandir = os.scandir

    def guarded(path):  # file modes do not stop the system administrator
        if str(path).endswith('secret'):
            raise PermissionError(13, 'Permission denied')
        return scandir(path)

    monkeypatch.setattr('sapiens_inference.inputs.folders.os.scandir', guarded)
    found = find_in_folder(tmp_path / 'in')
    assert names_of(found) == ['a.png']
    assert list(found.left_out) == ['a folder that cannot be read, Permission denied']
