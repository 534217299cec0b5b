# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every Python block of README and docs runs: here, in a test that is named here, or not, for a reason."""

import importlib.util
import shutil
from types import SimpleNamespace
from unittest import mock

import cv2
import pytest
import torch
from docs_pages import ROOT, blocks
from invented_photos import photo_like
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from sapiens_inference import run_tasks
from sapiens_inference.outputs.exports import export_run
from sapiens_inference.outputs.exports.registry import known_exports
from sapiens_multitask.apis import MultitaskInferencer

ELSEWHERE = {
    ('coco_tutorial.md', 'val_interval=10'): 'docs/test_coco_tutorial.py',
    ('coco_tutorial.md', 'MMPoseInferencer('): 'docs/test_coco_tutorial.py',
    ('depth_and_normals.md', 'align_depth('): 'depth_normal/test_depth_geometry.py',
    ('finetuning.md', 'sapiens_tiny_coco.py'): 'reliability/test_finetuning.py',
    ('finetuning.md', 'sapiens_tiny_goliath.py'): 'reliability/test_finetuning.py',
    ('finetuning.md', 'share_base('): 'reliability/test_finetuning.py',
    ('inference.md', "pose.stream('photos'"): 'inference/test_inference_docs.py',
    ('inference.md', "pose('people.mp4'"): 'inference/test_inference_docs.py',
    ('inference.md', 'DepthInferencer('): 'inference/test_inference_docs.py',
    ('inference.md', 'run_tasks('): 'inference/test_inference_docs.py',
    ('migration.md', 'ViTPose-base'): 'docs/test_migration.py',
    ('parity.md', 'normal_offset'): 'depth_normal/test_dense_recipes.py',
    ('pose.md', 'my_points.py'): 'reliability/test_own_keypoints.py',
    ('segmentation.md', 'my_garments.py'): 'seg/test_seg_configs.py',
    ('training.md', 'TensorboardVisBackend'): 'tools/test_vis_backends.py',
}
"""Words of a block to the test that runs it."""

NOT_INSTALLED = {('exports.md', 'import fiftyone'): 'fiftyone'}
"""Words of a block to the library that it needs, which is not part of the test environment."""

CHANGED = {
    ('coco_tutorial.md', 'pretrain_humans300m@clean'): 'pose/sapiens_0.3b_coco.py',
    ('distillation.md', 'DistilledSegmentor'): 'seg/sapiens_tiny_goliath.py',
    ('pose.md', 'NameMatchedDataset'): 'pose/sapiens_tiny_goliath.py',
}
"""Words of a block that changes a config without naming it, to such a config."""


def find(table, page, block):
    """What a table says of a block; None if nothing."""
    found = [value for (name, words), value in table.items() if name == page and words in block]
    assert len(found) < 2, (page, found)
    return found[0] if found else None


HERE = [
    pytest.param(page, block, id=f'{page}:{line}')
    for page, line, block in blocks('python')
    if not find(ELSEWHERE | NOT_INSTALLED, page, block)
]


@pytest.fixture(scope='module')
def desk(tmp_path_factory):
    """A working folder with what the blocks name: configs, photos, weights and results."""
    folder = tmp_path_factory.mktemp('desk')
    shutil.copytree(ROOT / 'configs', folder / 'configs')
    (folder / 'photos').mkdir()
    for seed in range(2):
        cv2.imwrite(str(folder / f'photos/{seed}.png'), photo_like(seed, (64, 48)))
    config = Config.fromfile(folder / 'configs/multitask/sapiens_tiny_synthetic.py')
    with DefaultScope.overwrite_default_scope(config.default_scope):
        torch.save(MODELS.build(config.model).state_dict(), folder / 'multitask.pth')
    model = MultitaskInferencer(config, folder / 'multitask.pth', device='cpu')
    run_tasks([model], folder / 'photos', folder / 'out', boxes='image')
    export_run(folder / 'out', ['csv'])
    return folder


def build(block, desk, base):
    """Build the model of a config that stands on a page."""
    block = block.replace('/path/to/configs/', 'configs/')
    if base:
        block = f"_base_ = ['configs/{base}']\n{block}"
    place = desk / ('mine.py' if "['configs/" in block else 'configs/pose/mine.py')
    place.write_text(block)
    config = Config.fromfile(place)
    with DefaultScope.overwrite_default_scope(config.default_scope), torch.device('meta'):
        MODELS.build(config.model)


@pytest.mark.parametrize(('page', 'block'), HERE)
def test_a_block_runs(page, block, desk, monkeypatch):
    monkeypatch.chdir(desk)
    base = find(CHANGED, page, block)
    if base or '_base_ = ' in block:
        build(block, desk, base)
        return
    # The smallest model with weights of which transformers has others names.
    model = torch.nn.ModuleDict(
        {'backbone': torch.nn.ModuleDict({'ln1': torch.nn.LayerNorm(2, bias=False)})}
    )
    theirs = SimpleNamespace(state_dict=lambda: {'model.norm.weight': torch.full((2,), 3.0)})
    names = {'model': model, 'hf_model': theirs}
    with mock.patch.dict(known_exports()):  # a block adds a format
        exec(compile(block, page, 'exec'), names)
    if 'backbone' in names:
        with torch.device('meta'):
            MODELS.build(names['backbone'])
    if 'hf_model' in block:
        assert model['backbone']['ln1'].weight.tolist() == [3, 3]


def test_the_tables_are_not_stale():
    there = [(page, block) for page, _, block in blocks('python')]
    for page, words in ELSEWHERE | NOT_INSTALLED | CHANGED:
        assert sum(page == name and words in block for name, block in there) == 1, (page, words)
    for (page, _), test in ELSEWHERE.items():
        assert f'docs/{page}' in (ROOT / 'tests' / test).read_text('utf-8'), test
    for module in NOT_INSTALLED.values():
        assert importlib.util.find_spec(module) is None, f'{module} is there: its block can run'
