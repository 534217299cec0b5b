# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the command line says reaches the config."""

import pytest

from sapiens_common.engine.launch import dump_predictions, enable_tta, load_config, set_checkpoint

CONFIG = """
data_root = 'data/coco'
other = 'data/coco17'
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='annotations/train.json'))
test_dataloader = dict(dataset=dict(datasets=[dict(data_root=data_root), dict(data_root='data/own')],
                                    bbox_file=f'{data_root}/boxes.json', pipeline=[]))
test_evaluator = dict(type='CocoMetric')
model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='a.pth')))
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / 'mine.py').write_text(CONFIG)
    return str(tmp_path / 'mine.py')


def test_data_root_moves_every_path_below_it(path):
    config = load_config(path, None, 'none', {'data_root': '/my data'})
    assert config.train_dataloader.dataset.data_root == '/my data'
    assert config.train_dataloader.dataset.ann_file == 'annotations/train.json'
    dataset = config.test_dataloader.dataset
    assert dataset.bbox_file == '/my data/boxes.json'
    assert [part.data_root for part in dataset.datasets] == ['/my data', 'data/own']
    assert config.other == 'data/coco17'


@pytest.mark.parametrize('old', ['data/coco', 'data/coco/'])
@pytest.mark.parametrize('new', ['/new', '/new/'])
def test_data_root_may_end_with_a_slash_and_stand_in_tuples(tmp_path, old, new):
    text = f'data_root = {old!r}\nsets = (dict(data_root=data_root, mask="data/coco/masks"), 5)'
    (tmp_path / 'mine.py').write_text(text)
    config = load_config(str(tmp_path / 'mine.py'), None, 'none', {'data_root': new})
    assert config.data_root == new and isinstance(config.sets, tuple)
    assert config.sets[0].data_root.rstrip('/') == '/new'
    assert config.sets[0].mask == '/new/masks' and config.sets[1] == 5


def test_an_explicit_path_wins_over_data_root(path):
    options = {'data_root': 'here', 'test_dataloader.dataset.bbox_file': 'there.json'}
    assert (
        load_config(path, None, 'none', options).test_dataloader.dataset.bbox_file == 'there.json'
    )


@pytest.mark.parametrize(('given', 'found'), [(None, 'work_dirs/mine'), ('out', 'out')])
def test_work_dir(path, given, found):
    assert load_config(path, given, 'none', None).work_dir == found


@pytest.mark.parametrize('name', ['pose/sapiens_1b_goliath', 'seg/sapiens_1b_goliath'])
def test_tasks_do_not_share_a_work_dir(root, name):
    config = load_config(str(root / f'configs/{name}.py'), None, 'none', None)
    assert config.work_dir == f'work_dirs/{name}'


def test_checkpoint_replaces_the_encoder_file(path):
    config = load_config(path, None, 'none', None)
    set_checkpoint(config, 'best.pth')
    assert config.load_from == 'best.pth'
    assert 'init_cfg' not in config.model.backbone


def test_dump(path):
    config = load_config(path, None, 'none', None)
    dump_predictions(config, 'a.pkl')
    assert [metric['type'] for metric in config.test_evaluator] == ['CocoMetric', 'DumpResults']
    with pytest.raises(ValueError, match=r'expected a \.pkl file'):
        dump_predictions(config, 'a.json')


def test_errors(path):
    with pytest.raises(ValueError, match='--tta needs tta_model and tta_pipeline'):
        enable_tta(load_config(path, None, 'none', None))
    with pytest.raises(ValueError, match='config nope.py does not exist'):
        load_config('nope.py', None, 'none', None)


def test_options_keep_the_spaces_of_paths(root, monkeypatch):
    import argparse

    monkeypatch.syspath_prepend(str(root / 'tools'))
    from _run_arguments import OptionsAction

    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    words = [
        'data_root=/my photos/ü',
        'lr=1e-3',
        'size=(4, 3)',
        'names=[a, b]',
        'on=True',
        'x="a b"',
    ]
    options = parser.parse_args(['--cfg-options', *words]).cfg_options
    assert options == {
        'data_root': '/my photos/ü',
        'lr': 1e-3,
        'size': (4, 3),
        'names': ['a', 'b'],
        'on': True,
        'x': 'a b',
    }
