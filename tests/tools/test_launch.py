# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the command line says reaches the config."""

import pytest
import torch
from runs import launch
from runs.launch import dump_predictions, enable_tta, load_config, set_checkpoint

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


def test_resuming_keeps_what_a_first_start_loads(path):
    config = load_config(path, None, 'none', {'load_from': 'task.pth'})
    launch.set_resume(config, 'auto')
    assert (config.resume, config.load_from, config.start_from) == (True, None, 'task.pth')
    launch.set_resume(config, 'epoch_3.pth')
    assert (config.resume, config.load_from) == (True, 'epoch_3.pth')


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
        'other_root=/data/COCO (1)',
        '''third_root="(old) photos"''',
        'lr=1e-3',
        'size=(4, 3)',
        'names=[a, b]',
        'steps=1, 2',
        'on=True',
        'x="a b"',
    ]
    options = parser.parse_args(['--cfg-options', *words]).cfg_options
    assert options == {
        'data_root': '/my photos/ü',
        'other_root': '/data/COCO (1)',
        'third_root': '(old) photos',
        'lr': 1e-3,
        'size': (4, 3),
        'names': ['a', 'b'],
        'steps': [1, 2],
        'on': True,
        'x': 'a b',
    }


BASE = """
size = (1024, 768)
epochs = 200
load = dict(type='LoadMaps', unit=1.0)
warp = dict(type='RandomWarp', size=size, scale=dict(low=0.2))
note = 'read by nobody'
train_cfg = dict(max_epochs=epochs)
train_dataloader = dict(dataset=dict(pipeline=[load, warp]))
val_dataloader = dict(dataset=dict(pipeline=[load]), num_workers=4)
test_dataloader = val_dataloader
"""
LEAF = """
_base_ = ['base.py']
load = dict(unit=0.001)
test_pipeline = [_base_.load, dict(_base_.warp, size=(9, 9))]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""


@pytest.fixture
def leaf(tmp_path):
    (tmp_path / 'base.py').write_text(BASE)
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'sub/leaf.py').write_text(LEAF.replace('base.py', '../base.py'))
    return str(tmp_path / 'sub/leaf.py')


def test_an_option_reaches_what_its_name_was_built_into(leaf):
    options = {'size': (64, 48), 'epochs': 3, 'load.threshold': 254, 'warp.scale.low': 0.5}
    config = load_config(leaf, None, 'none', options)
    load, warp = config.train_dataloader.dataset.pipeline
    assert load == dict(type='LoadMaps', unit=1.0, threshold=254)
    assert warp == dict(type='RandomWarp', size=(64, 48), scale=dict(low=0.5))
    assert config.val_dataloader.dataset.pipeline == [load]
    assert config.test_dataloader.dataset.pipeline == [load, dict(warp, size=(9, 9))]
    assert config.train_cfg.max_epochs == config.epochs == 3
    assert config.filename == leaf and config.work_dir == 'work_dirs/leaf'
    assert load_config(leaf, None, 'none', None).train_cfg.max_epochs == 200


def test_an_option_of_a_list_reaches_the_loader_but_not_its_neighbours(leaf):
    config = load_config(leaf, None, 'none', {'test_pipeline.0.unit': 5})
    assert config.test_dataloader.dataset.pipeline[0].unit == 5
    assert config.train_dataloader.dataset.pipeline[0].unit == 1.0


def test_options_leave_the_folder_of_a_config_as_it_is(leaf, tmp_path):
    """mmengine's own variables: a data folder beside the config, say."""
    with open(leaf, 'a') as file:
        file.write("train_dataloader = dict(dataset=dict(data_root='{{ fileDirname }}/data'))")
    config = load_config(leaf, None, 'none', {'epochs': 3})
    assert config.train_cfg.max_epochs == 3
    assert config.train_dataloader.dataset.data_root == f'{tmp_path}/sub/data'


def test_options_of_what_runs_are_merged_as_ever(leaf):
    config = load_config(leaf, None, 'none', {'val_dataloader.num_workers': 0, 'resume': True})
    assert config.val_dataloader.num_workers == 0 and config.resume is True
    assert config.test_dataloader.num_workers == 4


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'note': 'x'}, 'note changes nothing: no part of .*leaf.py that runs is made from it'),
        ({'epoch': 3}, "epoch: .*leaf.py has no 'epoch'; did you mean epochs"),
        ({'optim_wraper.lr': 1}, "has no 'optim_wraper'; did you mean optim_wrapper"),
        ({'test_pipeline.7.unit': 1}, r'test_pipeline\.7\.unit: .* has nothing there'),
        ({'data_root': 'x'}, 'data_root: .* has none'),
    ],
)
def test_an_option_that_reaches_nothing_fails(leaf, options, message):
    with pytest.raises(ValueError, match=message):
        load_config(leaf, None, 'none', options)


def test_a_new_name_beside_a_similar_one_is_said(leaf, warned):
    options = {'train_cfg.max_epoch': 3, 'train_cfg.dynamic_intervals': []}
    assert load_config(leaf, None, 'none', options).train_cfg.max_epoch == 3
    (text,) = warned
    assert 'train_cfg.max_epoch: ' in text and 'did you mean train_cfg.max_epochs?' in text


def test_an_option_that_is_already_so_is_no_error(leaf):
    assert load_config(leaf, None, 'none', {'load.unit': 0.001}).load.unit == 0.001


def test_the_mask_threshold_of_the_depth_recipe(root):
    path = str(root / 'configs/depth/sapiens_tiny_folder.py')
    config = load_config(path, None, 'none', {'load.mask_threshold': 254, 'batch_size': 3})
    for split in ('train', 'val', 'test'):
        pipeline = config[f'{split}_dataloader'].dataset.pipeline
        (load,) = (step for step in pipeline if step.type.endswith('LoadMaps'))
        assert load.mask_threshold == 254
    assert config.train_dataloader.batch_size == 3


def test_tf32_is_a_setting_of_the_recipe_and_of_the_command_line(monkeypatch, tmp_path, leaf):
    monkeypatch.setattr(
        launch.Runner, 'from_cfg', lambda config: torch.get_float32_matmul_precision()
    )

    def found(path, **options):
        return launch.build_runner(load_config(path, str(tmp_path), 'none', options))

    recipe = tmp_path / 'tf32.py'
    recipe.write_text("float32_matmul_precision = 'high'")
    try:
        assert found(str(recipe)) == 'high' and found(leaf) == 'highest'
        assert found(leaf, float32_matmul_precision='high') == 'high'
        assert found(str(recipe), float32_matmul_precision='medium') == 'medium'
    finally:
        torch.set_float32_matmul_precision('highest')
