# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the bundled model says of rendered people trains other models, through recipes that do not change."""

import pytest
from annotate_tasks import annotate
from runs import launch

from sapiens_inference.annotate.settings import Settings
from sapiens_synth import get_preset, render_dataset


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """A set of rendered people, and labels of its photos."""
    root = tmp_path_factory.mktemp('pseudo')
    preset = get_preset('quickstart', size=(128, 96), detail='coarse')
    render_dataset(root / 'rendered', 12, preset, seed=5, val_fraction=0.25, progress=False)
    settings = Settings(
        {'multitask': 'sapiens_tiny/multitask_synthetic'}, boxes='image', per_shard=5
    )
    report = annotate(root / 'rendered/images', root / 'labels', settings)
    assert (report.total['done'], report.total['people']) == (12, 12)
    return root / 'rendered', root / 'labels'


@pytest.mark.slow
@pytest.mark.parametrize('task', ['seg', 'pose', 'depth', 'normal'])
def test_recipes_train_on_labels_of_a_model(root, folders, tmp_path, task):
    labels = {'train_dataloader.dataset.data_root': str(folders[1])}
    labels |= {'train_dataloader.dataset.ann_file': 'manifest.json'}
    losses = train(root / f'configs/{task}/sapiens_tiny_synthetic.py', folders, tmp_path, labels)
    assert len(losses) == 6 and (losses > 0).all()  # 2 epochs of 12 photos


@pytest.mark.slow
@pytest.mark.parametrize('task', ['seg', 'pose'])
def test_students_train_on_labels_of_people_and_of_a_teacher(root, folders, tmp_path, task):
    recipe = root / f'configs/{task}/cspnext_tiny_synthetic_offline.py'
    losses = train(recipe, folders, tmp_path, {'taught_root': str(folders[1])})
    assert len(losses) == 12 and (losses > 0).all()  # 2 epochs of 9 people and 12 photos


def train(recipe, folders, work_dir, options):
    """Losses of two epochs at batches of four."""
    options = {
        **options,
        'data_root': str(folders[0]),
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.batch_size': 4,
        'train_cfg.max_epochs': 2,
        'train_cfg.val_interval': 9,
        'default_hooks.logger.interval': 1,
        'default_hooks.checkpoint.interval': 2,
    }
    runner = launch.build_runner(launch.load_config(str(recipe), str(work_dir), 'none', options))
    runner.train()
    assert (work_dir / 'epoch_2.pth').is_file()
    return runner.message_hub.get_scalar('train/loss').data[0]
