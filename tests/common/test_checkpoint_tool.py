# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""`tools/convert/checkpoint.py keys` lists what a published file of a shipped config's model holds."""

import json
import runpy

import pytest

TASKS = ('pose', 'seg', 'normal', 'albedo', 'pointmap')


@pytest.fixture(scope='module')
def main(root):
    return runpy.run_path(str(root / 'tools/convert/checkpoint.py'))['main']


@pytest.fixture
def keys(main, capsys):
    """Names to shapes that the tool prints."""

    def run(config, *options):
        assert main(['keys', str(config), '--json', *options]) == 0
        return {name: tuple(shape) for name, shape in json.loads(capsys.readouterr().out).items()}

    return run


@pytest.mark.parametrize('size', ['0.1b', '0.4b', '0.8b', '1b', '1b_4k', '5b'])
def test_pretrained_encoders_of_sapiens2(keys, sapiens2_keys, size):
    assert keys(f'sapiens2_{size}/pretrain', '--layout', 'published') == sapiens2_keys(
        'pretrain', size
    )


ALL_SIZES = [(t, s) for t in TASKS for s in ('0.4b', '0.8b', '1b', '5b')]


@pytest.mark.parametrize(('task', 'size'), [*ALL_SIZES, ('matting', '1b')])
def test_tasks_of_sapiens2(keys, sapiens2_keys, task, size):
    assert keys(f'sapiens2_{size}/{task}', '--layout', 'published') == sapiens2_keys(task, size)


@pytest.mark.parametrize(
    ('config', 'recorded'),
    [
        ('pretrain/sapiens_0.3b_humans300m.py', 'mae_pretrain'),
        ('pose/sapiens_0.3b_goliath.py', 'pose_goliath'),
        ('seg/sapiens_0.3b_goliath.py', 'seg_goliath'),
    ],
)
def test_the_first_generation(keys, checkpoint_keys, root, config, recorded):
    for layout in ('published', 'ours'):
        found = keys(root / 'configs' / config, '--layout', layout)
        assert found == checkpoint_keys(recorded, '0.3b')


def test_plain_listing_and_errors(main, root, capsys):
    config = root / 'configs/pretrain/sapiens2_tiny_synthetic.py'
    assert main(['keys', str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 'backbone.cls_token 1 1 192' in lines
    assert lines[-1] == f'{len(lines) - 1} tensors'
    assert main(['keys', 'nothing.py']) == 2
    assert 'neither a config file nor a name' in capsys.readouterr().err
