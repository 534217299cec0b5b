# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The analysis tools on invented runs and data."""

import csv
import json

import cv2
import numpy as np
import pytest
import torch
from analysis import analyze_logs, compare_runs, get_flops, run_logs, visualize_scheduler
from invented_data import invent_data
from mmengine.config import Config
from old_torch import needs_counting, needs_fsdp2

from sapiens_depth_normal import evaluation
from sapiens_inference.engine.models import build_model


@pytest.fixture
def runs(tmp_path):
    """Work directories of two runs; the first was killed and resumed at step 2."""
    entries = {
        'a/1': [
            {'loss': 3.0, 'time': 0.5, 'data_time': 0.1, 'step': 1, 'iter': 1},
            {'loss': 9.0, 'time': 0.5, 'data_time': 0.1, 'step': 2, 'iter': 2},
        ],
        'a/2': [
            {'loss': 2.0, 'time': 0.3, 'data_time': 0.0, 'step': 2, 'iter': 2},
            {'coco/AP': 0.4, 'step': 2},
        ],
        'b/1': [
            {'loss': 1.0, 'time': 0.1, 'data_time': 0.05, 'step': 1, 'iter': 1},
            {'loss': 1.5, 'time': 0.1, 'data_time': 0.05, 'step': 2, 'iter': 2},
        ],
    }
    for name, lines in entries.items():
        folder = tmp_path / name / 'vis_data'
        folder.mkdir(parents=True)
        text = '\n'.join(json.dumps(line) for line in lines)
        (folder / 'scalars.json').write_text(text + '\n{"loss": 1')  # torn by a kill
    (tmp_path / 'a/config.py').write_text("optim = dict(lr=0.1, type='Adam')\nsteps = [1, 2]\n")
    (tmp_path / 'b/config.py').write_text("optim = dict(lr=0.2, type='Adam')\nsteps = [1, 2]\n")
    return [str(tmp_path / 'a'), str(tmp_path / 'b')]


def test_curves_of_a_resumed_run(runs):
    curves = run_logs.read_curves(runs[0])
    assert curves['loss'].steps.tolist() == [1, 2] and curves['loss'].values.tolist() == [3.0, 2.0]
    assert run_logs.run_names(runs) == ['a', 'b']
    assert '| a | 2 | 0.4000 |' in analyze_logs.time_table({'a': curves})
    assert '50.0%' in analyze_logs.time_table({'b': run_logs.read_curves(runs[1])})


def test_bad_logs_are_named(tmp_path):
    with pytest.raises(ValueError, match=r'no vis_data/scalars.json'):
        run_logs.read_curves(tmp_path)
    for line in ('{"loss": ', '5'):
        (tmp_path / 'scalars.json').write_text(f'{line}\n{{"loss": 1, "step": 1}}\n')
        with pytest.raises(ValueError, match=r'scalars.json:1: expected a JSON object'):
            run_logs.read_curves(tmp_path)
    with pytest.raises(ValueError, match=r'elsewhere does not exist; expected the work directory'):
        run_logs.read_curves(tmp_path / 'elsewhere')
    with pytest.raises(ValueError, match='a run is named twice'):
        run_logs.run_names([str(tmp_path), f'{tmp_path}/.'])


def test_the_curves_are_drawn(runs, tmp_path, run_tool):
    out = tmp_path / 'curves.png'
    run_tool('tools/analysis/analyze_logs.py', *runs, '--keys', 'loss', '--out', out)
    assert cv2.imread(str(out)).std() > 5
    with pytest.raises(SystemExit, match=r"no run has logged \['nothing'\]"):
        run_tool('tools/analysis/analyze_logs.py', *runs, '--keys', 'nothing')


def test_runs_side_by_side(runs):
    rows = compare_runs.config_rows([compare_runs.read_config(run) for run in runs])
    assert rows == [['optim.lr', '0.1', '0.2']]
    rows = dict(
        (row[0], row[1:]) for row in compare_runs.metric_rows(list(map(run_logs.read_curves, runs)))
    )
    assert rows['loss'] == ['2 (best 2 at 2)', '1.5 (best 1 at 1)']
    assert rows['coco/AP'] == ['0.4 (best 0.4 at 2)', '']


def test_a_run_that_was_not_a_number_and_one_without_config(runs, tmp_path, run_tool):
    folder = tmp_path / 'c/1/vis_data'
    folder.mkdir(parents=True)
    lines = '{"loss": NaN, "step": 1}\n{"loss": 2.5, "step": 2}\n'
    (folder / 'scalars.json').write_text(lines)
    printed = run_tool('tools/analysis/compare_runs.py', *runs, tmp_path / 'c')
    assert '| optim.lr | 0.1 | 0.2 |\n' in printed and 'c: no config in it' in printed
    assert '2.5 (best 2.5 at 2)' in printed


@pytest.mark.parametrize('kind', evaluation.__all__)
def test_which_figures_are_better_when_less(kind):
    for column in getattr(evaluation, kind)().columns:
        wanted = column.better == 'lower'
        assert compare_runs.is_less_better(f'x/aligned_{column.key}') == wanted, column
    assert not compare_runs.is_less_better('coco/AP') and not compare_runs.is_less_better('mIoU')


def test_print_config(root, run_tool):
    command = ['tools/analysis/print_config.py', root / 'configs/pose/sapiens_tiny_synthetic.py']
    assert run_tool(*command, '--key', 'model.backbone.arch').strip() == "arch = 'tiny'"
    changed = run_tool(*command, '--cfg-options', 'model.backbone.arch=0.3b')
    assert "arch='0.3b'" in changed
    with pytest.raises(SystemExit, match="model has no 'nothing'"):
        run_tool(*command, '--key', 'model.nothing')


@needs_counting
def test_operations_of_a_known_model(root):
    config = Config.fromfile(str(root / 'configs/pose/sapiens_tiny_synthetic.py'))
    shape = get_flops.input_shape(config)
    rows = get_flops.count(get_flops.build_on_meta(config), shape, depth=3)
    found = {name: operations for name, operations, _ in rows}
    width = 192
    grid = get_flops.build_on_meta(config).backbone
    padding = config.model.backbone.get('patch_padding', 2)
    tokens = ((shape[0] + 2 * padding - 16) // 16 + 1) * ((shape[1] + 2 * padding - 16) // 16 + 1)
    assert found['backbone.patch_embed'] == 2 * tokens * width * 3 * 16 * 16
    # Per layer: qkv and projection 4 d^2, feed-forward 8 d^2, two products of attention n d each.
    layer = 2 * tokens * (12 * width**2 + 2 * tokens * width)
    assert found['backbone.layers.0'] == layer
    assert found['backbone.layers'] == layer * len(grid.layers)
    assert rows[0][1] >= found['backbone'] + found['head']


def test_schedules_are_those_of_training(root):
    config = Config.fromfile(str(root / 'configs/pose/sapiens_tiny_synthetic.py'))
    values = visualize_scheduler.trace(config, per_epoch=10)['lr']
    assert len(values) == 10 * config.train_cfg.max_epochs
    assert values[0] == pytest.approx(config.optim_wrapper.optimizer.lr * 0.01)
    assert max(values) <= config.optim_wrapper.optimizer.lr and values[-1] < 0.01 * max(values)


@pytest.fixture
def small(root, tmp_path):
    """A recipe's config at its own size on invented data, and a checkpoint of its random model."""
    invent_data(tmp_path / 'data')

    def make(recipe):
        config = Config.fromfile(str(root / 'configs' / recipe))
        path = tmp_path / 'random.pth'
        model = build_model(config)
        torch.save({'state_dict': model.state_dict(), 'meta': {'cfg': 'answer = 42\n'}}, path)
        return str(root / 'configs' / recipe), path, f'data_root={tmp_path}/data'

    return make


@needs_counting
def test_operations_where_levels_share_weights(root):
    """RTMDet's levels have one set of convolutions, and MMSegmentation's SegFormer is not built on meta."""
    for recipe, shape in (
        ('det/rtmdet_tiny_person', (64, 64)),
        ('seg/baselines/segformer_b0_synthetic', (128, 96)),
    ):
        config = Config.fromfile(str(root / f'configs/{recipe}.py'))
        rows = get_flops.count(get_flops.build_on_meta(config), shape, depth=1)
        assert rows[0][1] == sum(operations for _, operations, _ in rows[1:]) > 0
    with pytest.raises(ValueError, match='does not run on one image of 64 x 64 alone'):
        config = Config.fromfile(str(root / 'configs/pose/baselines/rtmpose_tiny_synthetic.py'))
        get_flops.count(get_flops.build_on_meta(config), (64, 64), depth=1)


def test_schedule_of_a_config_by_its_name(tmp_path, run_tool):
    command = ['tools/analysis/visualize_scheduler.py', 'pose/sapiens_tiny_coco.py']
    out = tmp_path / 'lr.png'
    printed = run_tool(*command, '--out', out, '--cfg-options', 'optim_wrapper.optimizer.lr=0.25')
    assert 'highest 0.25' in printed and cv2.imread(str(out)).std() > 5


@pytest.mark.parametrize('mode', ['original', 'pipeline'])
def test_browse_images_without_labels(tmp_path, run_tool, mode):
    (tmp_path / 'photos').mkdir()
    photo = np.random.default_rng(0).integers(0, 255, (80, 60, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'photos/a.png'), photo)
    options = ['--cfg-options', f'train_dataloader.dataset.images={tmp_path}/photos']
    config, out = 'pretrain/sapiens_tiny_synthetic.py', tmp_path / 'out'
    run_tool('tools/analysis/browse_dataset.py', config, '--mode', mode, '--out', out, *options)
    picture = cv2.imread(str(out / '000000.png'))
    if mode == 'original':
        np.testing.assert_array_equal(picture, photo)
    else:
        assert picture.shape[1] > 2 * photo.shape[1]  # the file and the crop, side by side


@pytest.mark.slow
def test_pose_errors(small, tmp_path, run_tool):
    config, checkpoint, data = small('pose/sapiens_tiny_synthetic.py')
    out = tmp_path / 'out'
    options = ['--work-dir', tmp_path / 'work', '--cfg-options', data]
    run_tool('tools/analysis/pose_errors.py', config, checkpoint, '--out', out, *options)
    with (out / 'errors.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 308 and int(rows[0]['count']) > 0 and float(rows[0]['mean_px']) > 0
    assert (
        cv2.imread(str(out / 'worst.png')) is not None
        and cv2.imread(str(out / 'pck.png')) is not None
    )


@pytest.mark.slow
def test_confusion_matrix(small, tmp_path, run_tool):
    config, checkpoint, data = small('seg/sapiens_tiny_synthetic.py')
    out = tmp_path / 'out'
    options = ['--work-dir', tmp_path / 'work', '--cfg-options', data]
    run_tool('tools/analysis/confusion_matrix.py', config, checkpoint, '--out', out, *options)
    with (out / 'confusion.csv').open(newline='') as file:
        table = np.array([row[1:] for row in list(csv.reader(file))[1:]], int)
    assert table.shape == (28, 28) and table.sum() > 0
    assert cv2.imread(str(out / 'confusion.png')) is not None


@pytest.mark.slow
def test_confusion_matrix_of_a_task_without_classes(small, tmp_path, run_tool):
    config, checkpoint, data = small('pose/sapiens_tiny_synthetic.py')
    options = ['--work-dir', tmp_path / 'work', '--cfg-options', data]
    with pytest.raises(SystemExit, match='does not test classes of pixels'):
        run_tool('tools/analysis/confusion_matrix.py', config, checkpoint, *options)


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['transformed', 'original', 'pipeline'])
def test_browse_dataset(small, tmp_path, mode, run_tool):
    config, _, data = small('pose/sapiens_tiny_synthetic.py')
    out = tmp_path / 'out'
    arguments = [config, '--mode', mode, '--out', out, '--count', 2, '--cfg-options', data]
    run_tool('tools/analysis/browse_dataset.py', *arguments)
    pictures = [cv2.imread(str(path)) for path in sorted(out.glob('*.png'))]
    assert len(pictures) == 2
    if mode == 'original':
        assert pictures[0].shape == (64, 48, 3)


def test_browse_sets_put_together(small, tmp_path, run_tool):
    config, _, data = small('pose/sapiens_tiny_synthetic.py')
    own = tmp_path / 'twice.py'
    lines = f"""
_base_ = [{str(config)!r}]
once = _base_.train_dataloader.dataset
train_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', datasets=[once, once]))
"""
    own.write_text(lines)
    out = tmp_path / 'out'
    tool = 'tools/analysis/browse_dataset.py'
    run_tool(tool, own, '--out', out, '--count', 2, '--cfg-options', data)
    assert len(list(out.glob('*.png'))) == 2


@needs_fsdp2
def test_a_sharded_checkpoint_is_published_whole(tmp_path, run_tool):
    import torch.distributed.checkpoint as dcp
    from safetensors.torch import load_file

    run = tmp_path / 'run'
    run.mkdir()
    torch.save({'state_dict': {}, 'meta': {'cfg': 'answer = 42\n'}}, run / 'iter_4.pth')
    weight = torch.arange(6.0).reshape(2, 3)
    dcp.save({'model': {'head.weight': weight}}, checkpoint_id=run / 'iter_4.shards', no_dist=True)
    run_tool('tools/analysis/publish_model.py', run / 'iter_4.pth', tmp_path / 'out')
    [path] = (tmp_path / 'out').glob('run-*.safetensors')
    published = load_file(path)
    assert published.keys() == {'head.weight'} and torch.equal(published['head.weight'], weight)


def test_publish_model(small, tmp_path, run_tool):
    _, checkpoint, _ = small('pose/sapiens_tiny_synthetic.py')
    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, 'optimizer': {'state': torch.zeros(10_000)}}, checkpoint)
    options = ['--name', 'mine', '--dtype', 'float16']
    run_tool('tools/analysis/publish_model.py', checkpoint, tmp_path / 'out', *options)
    from sapiens_common.weights import sha256_of

    [path] = (tmp_path / 'out').glob('*.safetensors')
    assert path.stem == f'mine-{sha256_of(path)[:8]}'
    assert path.with_suffix('.py').read_text() == 'answer = 42\n'
    from safetensors.torch import load_file

    published = load_file(path)
    assert published.keys() == content['state_dict'].keys()
    name = 'backbone.pos_embed'
    torch.testing.assert_close(published[name], content['state_dict'][name].half())
