# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Commands that are given an empty or a missing file fail, and say which and what was expected."""

import json

import pytest
import torch


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'annotations').mkdir()
    for split in ('train', 'val'):
        (tmp_path / f'annotations/person_keypoints_{split}.json').write_text('')
    (tmp_path / 'list.json').write_text('[]')
    (tmp_path / 'list.txt').write_text('')
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/scalars.json').write_text('')
    torch.save({'state_dict': {}, 'meta': {}}, tmp_path / 'empty.pth')
    (tmp_path / 'no_data.py').write_text('model = dict()')
    return tmp_path


@pytest.mark.parametrize(
    ('command', 'message'),
    [
        ('analysis/analyze_logs.py run', 'run: nothing is logged yet'),
        ('analysis/compare_runs.py none', 'none does not exist'),
        ('analysis/publish_model.py empty.pth out', 'empty.pth holds no weights'),
        ('analysis/publish_model.py none.pth out', 'none.pth does not exist'),
        ('convert/checkpoint.py empty.pth out.pth', 'empty.pth holds no weights'),
        ('convert/checkpoint.py none.pth out.pth', 'none.pth does not exist'),
        ('data/check_dataset.py no_data.py', 'has no data of train, val, test; nothing was'),
        ('data/goliath_to_coco.py . out', 'person_keypoints_train.json is not readable JSON'),
        ('data/goliath_to_coco.py none out', 'person_keypoints_train.json does not exist'),
        ('data/make_metainfo.py list.json out.py', 'list.json: expected a COCO JSON file'),
        (
            'data/select_upright.py list.json out',
            'list.json: expected COCO JSON with "annotations"',
        ),
        ('data/select_upright.py list.txt out', 'list.txt is not readable JSON'),
    ],
)
def test_an_empty_or_missing_file_is_named(folder, monkeypatch, capfd, run_tool, command, message):
    monkeypatch.chdir(folder)
    tool, *arguments = command.split()
    with pytest.raises(SystemExit) as end:
        run_tool(f'tools/{tool}', *arguments)
    assert message in '\n'.join([str(end.value.code), *capfd.readouterr()])
    assert not list(folder.glob('out*/*.*')) and not list(folder.glob('out.*'))


def test_json_of_something_else_is_refused(folder, exit_of):
    (folder / 'annotations/person_keypoints_train.json').write_text(json.dumps({'images': []}))
    status, _ = exit_of('tools/data/goliath_to_coco.py', folder, folder / 'out')
    assert 'train.json: expected COCO JSON with "images" and "annotations"' in status
