# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Counted memory equals what is worked out by hand, with and without data."""

import runpy

import pytest
import torch
from benchmarks.harness.live_memory import LiveTensors, backward_bytes, forward_bytes, without_data
from mmengine.config import Config
from old_torch import needs_counting
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils._pytree import tree_flatten

pytestmark = needs_counting


def test_tensors_count_while_they_live():
    weight = torch.zeros(10)
    with LiveTensors([weight]) as found:
        first = torch.ones(100)  # 400 bytes
        view = first[:50].view(5, 10)
        assert (found.live, found.peak) == (400, 400)
        second = first + 1
        first.add_(1)
        assert found.live == 800
        del first, second
        assert found.live == 400  # the view keeps its storage
        del view
        weight.view(2, 5)
        assert (found.live, found.peak) == (0, 800)


def test_forward_by_hand():
    """bfloat16: the copies of images (4 x 8) and weights (8 x 16), then the first output beside them."""
    with without_data():
        layers = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        found = forward_bytes(layers, torch.zeros(4, 8))
    copies = 2 * (4 * 8 + 16 * 8 + 16)
    first = 2 * 4 * 16
    assert copies + first <= found <= copies + 2 * first + 2 * (16 * 4 + 4)


def test_gradients_of_weights_are_not_kept():
    """The backward pass needs the copies of 20 large weights, and the gradient of one at a time."""
    with without_data():
        wide = nn.Sequential(*(nn.Linear(1000, 1000, bias=False) for _ in range(20)))
        found = backward_bytes(wide, torch.zeros(1, 1000))
    copies, gradient = 20 * 2 * 1000 * 1000, 4 * 1000 * 1000
    assert copies <= found < copies + 3 * gradient


def test_recomputing_saves():
    from sapiens_pretrain.models.sapiens2 import Sapiens2ViT

    found = {}
    for recompute in (False, True):
        with without_data():
            model = Sapiens2ViT(arch='tiny', img_size=(256, 192), with_cp=recompute)
            found[recompute] = backward_bytes(model, torch.zeros(2, 3, 256, 192))
    assert found[True] < found[False] / 2


def test_the_table(root, capsys, monkeypatch):
    tool = runpy.run_path(str(root / 'tools/memory_table.py'))
    config = root / 'configs/normal/sapiens_tiny_synthetic.py'
    monkeypatch.setattr('sys.argv', ['memory_table.py', str(config), '--cards', '1', '24'])
    tool['main']()
    lines = capsys.readouterr().out.splitlines()
    head, _, row = (line for line in lines if line.startswith('|'))
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    assert len(cells) == head.count('|') - 1 == 8
    assert cells[0] == 'sapiens_tiny_synthetic'
    inference, lora, full, _ = (int(batch) for batch in cells[-1].split(' / '))
    assert inference > lora >= full > 100
    Need = tool['Need']
    assert Need(fixed=10e9, first=2e9, further=1e9).batch(24) == 10  # 21.6 GB to use
    assert Need(fixed=25e9, first=2e9, further=1e9).batch(24) == 0


@pytest.mark.parametrize(('way', 'recompute'), [('full', False), ('lora', True)])
def test_computed_against_the_profiler(root, way, recompute):
    """What torch's allocator hands out during two real steps is what was computed, or a little less: the
    gradients come while the activations go."""
    tool = runpy.run_path(str(root / 'tools/memory_table.py'))
    config = Config.fromfile(root / 'configs/normal/sapiens_tiny_synthetic.py')
    with without_data():
        need = tool['training'](config, recompute, way)[1]
    model = tool['build'](config, recompute, way)
    images = torch.randn(4, 3, 128, 96)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        for _ in range(2):
            with torch.autocast('cpu', torch.bfloat16):
                outputs = tree_flatten(model(images))[0]
                loss = sum(o.float().square().sum() for o in outputs if isinstance(o, torch.Tensor))
            del outputs
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    live = peak = 0
    events = recorded.profiler.kineto_results.events()
    for event in sorted((e for e in events if e.name() == '[memory]'), key=lambda e: e.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    found = peak + sum(4 * p.numel() for p in model.parameters())
    assert 0.75 < found / need.total(4) < 1.02


def test_the_table_of_tuning(root, capsys, monkeypatch):
    tool = runpy.run_path(str(root / 'tools/memory_table.py'))
    config = root / 'configs/normal/sapiens_tiny_synthetic.py'
    arguments = ['memory_table.py', str(config), '--tuning', '--cards', '1']
    monkeypatch.setattr('sys.argv', arguments)
    tool['main']()
    head, _, *lines = (x for x in capsys.readouterr().out.splitlines() if x.startswith('|'))
    rows = {
        cells[1]: cells for cells in ([c.strip() for c in x.strip('|').split('|')] for x in lines)
    }
    assert all(len(cells) == head.count('|') - 1 for cells in rows.values())
    full, last, lora, frozen = rows.values()
    # The forward pass is a third of a step; what is frozen needs no gradients of weights, another third.
    assert float(full[3]) == 1 > float(lora[3]) > float(last[3]) > float(frozen[3]) > 1 / 3
    assert lora[3] > '0.66'
    batches = [[int(n) for n in cells[-1].split(' / ')] for cells in rows.values()]
    assert all(recomputed >= kept for kept, recomputed in batches)
    assert batches[0][0] < batches[2][0] < batches[1][0] < batches[3][0]
