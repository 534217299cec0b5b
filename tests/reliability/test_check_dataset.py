# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The audit before training, on every task: each broken file of each split is listed by its name."""

import json
import re

import cv2
import numpy as np
import pytest
from invented_data import PEOPLE, invent_data

TOOL = 'tools/data/check_dataset.py'
CONFIGS = {
    'pose': 'pose/sapiens_tiny_synthetic.py',
    'seg': 'seg/sapiens_tiny_synthetic.py',
    'depth': 'depth/sapiens_tiny_synthetic.py',
    'normal': 'normal/sapiens_tiny_synthetic.py',
    'multitask': 'multitask/sapiens_tiny_synthetic.py',
    'mae': 'pretrain/sapiens_tiny_images.py',
}
KINDS = {
    'pose': ('images',),
    'seg': ('images', 'segmentations'),
    'depth': ('images', 'masks', 'depths'),
    'normal': ('images', 'masks', 'normals'),
    'multitask': ('images', 'masks', 'alphas', 'depths', 'normals', 'segmentations'),
    'mae': ('images',),
}


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / 'my photos ü'
    folder.mkdir()
    invent_data(folder)
    return folder


@pytest.fixture
def check(root, data, exit_of):
    """`check(task, *options)`: exit code and output of the command, run in this process."""

    def run(task, *options):
        root_of = {'mae': f'train_dataloader.dataset.images={data}/images'}
        options += ('--cfg-options', root_of.get(task, f'data_root={data}'))
        return exit_of(TOOL, f'{root}/configs/{CONFIGS[task]}', '--workers', 0, *options)

    return run


@pytest.mark.parametrize('task', CONFIGS)
def test_whole_data_has_no_problem_and_a_sheet(check, data, task):
    sheet = data / 'new folder' / 'sheet.png'
    status, output = check(task, '--sheet', str(sheet), '--sheet-count', '4')
    assert status == 0, output
    assert f'{PEOPLE} samples, 0 cannot be read' in output
    assert output.endswith('no problems\n')
    picture = cv2.imread(str(sheet))
    assert picture.std() > 10


@pytest.mark.parametrize('task', CONFIGS)
def test_every_broken_file_is_listed(check, data, task):
    for number, kind in enumerate(KINDS[task]):
        (path,) = (data / kind).glob(f'{number:06d}.*')
        path.write_bytes(path.read_bytes()[:-60])
    status, output = check(task)
    assert status == 1
    problems = [line for line in output.splitlines() if line.startswith('PROBLEM')]
    for number, kind in enumerate(KINDS[task]):
        named = [line for line in problems if re.search(rf'{kind}/{number:06d}\.', line)]
        splits = 1 if task == 'mae' else 2  # train and val
        assert len(named) == splits, (kind, output)
    assert f'{len(problems)} problems' in output
    assert f'{PEOPLE} samples, {len(KINDS[task])} cannot be read' in output


def test_bad_annotations_and_missing_files_are_listed(check, data):
    path = data / 'annotations/person_keypoints_val.json'
    content = json.loads(path.read_text())
    content['annotations'][1]['keypoints'][4] = float('nan')
    content['images'][2]['file_name'] = '../outside.jpg'
    path.write_text(json.dumps(content))
    (data / 'images/000003.jpg').unlink()
    status, output = check('pose', '--splits', 'val')
    assert status == 1
    assert "annotation 1 of 000001.jpg: expected finite numbers in 'keypoints'" in output
    assert 'expected a file_name below the image folder' in output
    assert '000003.jpg does not exist' in output
    assert output.endswith('3 problems\n')


def test_a_set_that_cannot_be_opened_is_a_problem(check, data):
    (data / 'annotations/person_keypoints_val.json').write_text('{"images": 3}')
    status, output = check('pose')
    assert status == 1
    assert 'person_keypoints_val.json: expected a list "images", got a int' in output
    assert f'train: {data}' in output and output.count('cannot be read') == 1


@pytest.mark.parametrize('task', ['pose', 'seg'])
@pytest.mark.parametrize('change', [{'typo': 1}, {'type': 'sapiens_seg.Typo'}])
def test_a_set_that_cannot_be_built_is_a_problem(root, data, tmp_path, exit_of, task, change):
    config = tmp_path / 'typo.py'
    config.write_text(f"""
_base_ = ['{root}/configs/{CONFIGS[task]}']
train_dataloader = None
val_dataloader = dict(dataset={change})
""")
    arguments = [config, '--workers', 0, '--splits', 'train', 'val', '--sheet', 'none.png']
    status, output = exit_of(TOOL, *arguments, '--cfg-options', f'data_root={data}')
    assert status == 1
    assert 'typo' in output.lower() and output.endswith('1 problems\n')
    assert 'no sheet: the config has no training data' in output


def test_combined_sets_are_read_with_their_images(root, data, tmp_path, exit_of):
    # The sets inside have no pipeline: checked alone they would look healthy.
    config = tmp_path / 'combined.py'
    config.write_text(f"""
_base_ = ['{root}/configs/pose/sapiens_tiny_synthetic.py']
train_dataloader = dict(dataset=dict(
    _delete_=True, type='sapiens_pose.NameMatchedDataset', layout='goliath',
    pipeline=_base_.train_pipeline,
    datasets=[dict(type='sapiens_pose.GoliathDataset', data_prefix=dict(img='{data}/images/'),
                   ann_file='{data}/annotations/person_keypoints_train.json')]))
""")
    (data / 'images/000004.jpg').write_bytes(b'torn')
    status, output = exit_of(TOOL, config, '--splits', 'train', '--workers', 2)
    assert status == 1
    assert f'{PEOPLE} samples, 1 cannot be read' in output
    assert '000004.jpg cannot be decoded' in output


def test_the_sheet_shows_targets(check, data):
    # Labels in the colours of their classes stand beside the photo.
    sheet = data / 'sheet.png'
    labels = np.full((64, 48), 3, np.uint8)
    for path in (data / 'segmentations').iterdir():
        cv2.imwrite(str(path), labels)
    check('seg', '--splits', 'train', '--sheet', str(sheet), '--sheet-count', '1')
    from sapiens_common.layouts.body_parts import BODY_PART_PALETTE

    colour = np.array(BODY_PART_PALETTE[3])[::-1]
    assert (cv2.imread(str(sheet)) == colour).all(axis=2).mean() > 0.2
