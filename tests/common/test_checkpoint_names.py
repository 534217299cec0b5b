# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Published files of Sapiens2, models of transformers and models of ours exchange weights by name."""

import json
import re

import pytest
import torch
from torch import nn

from sapiens_common.checkpoint import load_encoder, load_state_dict_strict
from sapiens_common.checkpoint_names import from_published, from_transformers, to_published
from sapiens_pretrain.models.sapiens2 import Sapiens2ViT

TASKS = ['pose', 'seg', 'normal', 'albedo', 'pointmap', 'matting']
OUTPUTS = {'pose': 'head.final_layer'}  # of our models; elsewhere mmseg's name


@pytest.fixture(scope='module')
def recorded(root):
    return json.loads((root / 'tests/data/checkpoint_keys_sapiens2.json').read_text())


def shape_of(value):
    return tuple(value)


def first_blocks(recorded, task):
    """The recorded names of the 1b model with block 0 for all blocks."""
    found = recorded['state_dicts'][task]['1b']
    return {re.sub(r'\{\w\}', '0', name): shape for name, shape in found.items()}


@pytest.mark.parametrize('task', TASKS)
def test_published_names_become_ours_and_go_back(recorded, task):
    published = first_blocks(recorded, task)
    ours = from_published(published)
    assert f'{OUTPUTS.get(task, "decode_head.conv_seg")}.weight' in ours
    assert any(name.startswith('decode_head.') for name in ours) == (task != 'pose')
    assert from_published(ours) == ours
    assert to_published(ours, shape_of) == published


def test_the_encoder_keeps_its_names(recorded):
    published = first_blocks(recorded, 'pretrain')
    assert from_published(published) == published
    mae = {f'backbone.{name}': shape for name, shape in published.items()}
    mae['neck.mask_token'] = (1, 1, 8)
    assert to_published(mae, shape_of) == published
    assert to_published(published, shape_of) == published


def test_the_first_generation_keeps_its_names(checkpoint_keys):
    for task in ('pose_goliath', 'seg_goliath', 'mae_pretrain'):
        names = checkpoint_keys(task, '1b')
        assert to_published(names, shape_of) == from_published(names) == names


def test_a_head_that_was_never_published(recorded):
    names = from_published(first_blocks(recorded, 'normal'))
    names['decode_head.conv_seg.weight'] = (1, 16, 1, 1)
    with pytest.raises(ValueError, match='no published counterpart.*with 1 outputs'):
        to_published(names, shape_of)


class PoseModel(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        arch = dict(embed_dims=48, num_layers=2, num_heads=4, feedforward_channels=96)
        self.backbone = Sapiens2ViT(
            arch={**arch, 'num_tokenizer_layers': 1}, img_size=(64, 48), **settings
        )
        self.head = nn.ModuleDict({'final_layer': nn.Conv2d(48, 5, 1)})
        for parameter in self.parameters():
            nn.init.normal_(parameter)


@pytest.mark.parametrize('periods', [torch.float32, torch.bfloat16, None])
def test_a_published_file_loads_strictly(periods):
    source, target = PoseModel(), PoseModel()
    source.backbone.rope_embed.periods.mul_(1.001)
    content = to_published(source.state_dict(), lambda value: tuple(value.shape))
    key = 'backbone.rope_embed.periods'
    stored = content.pop(key)
    expected = target.backbone.rope_embed.initial_periods()
    if periods is not None:
        content[key] = stored.to(periods)
        expected = content[key].float()
    load_state_dict_strict(target, content, 'a file')
    assert torch.equal(target.backbone.rope_embed.periods, expected)
    for name, parameter in target.named_parameters():
        assert torch.equal(parameter, source.state_dict()[name]), name
    content.pop('decode_head.conv_pose.bias')
    with pytest.raises(ValueError, match=r'1 missing \[head.final_layer.bias\]'):
        load_state_dict_strict(target, content, 'a file')


def test_the_encoder_of_a_task_file_loads(tmp_path):
    source = PoseModel()
    content = to_published(source.state_dict(), lambda value: tuple(value.shape))
    torch.save(content, tmp_path / 'pose.pth')
    target = PoseModel().backbone
    report = load_encoder(target, tmp_path / 'pose.pth')
    assert str(report).endswith('2 others not used (decode_head)')
    assert torch.equal(target.storage_tokens, source.backbone.storage_tokens)


def numbered(text):
    """Expand ``{0,3}`` in both sides of a map's entry, in step; ``{i}`` becomes 4 and ``{n}`` 2."""
    sides = [re.sub(r'\{i\}', '4', re.sub(r'\{n\}', '2', side)) for side in text]
    groups = [re.search(r'\{([\w,]+)\}', side) for side in sides]
    if not groups[0]:
        return [tuple(sides)]
    choices = [group.group(1).split(',') if group else None for group in groups]
    found = []
    for index in range(len(choices[0])):
        pair = [
            side.replace(group.group(), options[index]) if group else side
            for side, group, options in zip(sides, groups, choices, strict=True)
        ]
        found.append(tuple(pair))
    return found


def heads_of(task, name):
    """Whether the head of a task has a layer of this published name."""
    if 'upsample_blocks' in name or 'input_conv' in name:
        return task in ('normal', 'pointmap', 'matting')
    if 'deconv_layers' in name:
        return task in ('pose', 'seg')
    if 'scale_' in name:
        return task == 'pointmap'
    return f'conv_{task}' in name or 'conv_layers' in name


@pytest.mark.parametrize('task', ['pretrain', 'pose', 'seg', 'normal', 'pointmap', 'matting'])
def test_names_of_transformers_follow_the_recorded_map(recorded, task):
    keys = recorded['transformers_keys']
    backbone = next(value for name, value in keys.items() if name.startswith('backbone'))
    pairs = []
    for published, theirs in backbone.items():
        if theirs.startswith('embeddings.') or theirs.startswith(('model.', 'norm.')):
            ours, theirs = published.replace('*', 'weight'), theirs.replace('*', 'weight')
            ours, theirs = (side.replace('{i}', '4') for side in (ours, theirs))
            if task != 'pretrain':
                ours, theirs = f'backbone.{ours}', f'model.{theirs}'
            pairs.append((ours, theirs))
    assert len(pairs) == 14
    heads = {} if task == 'pretrain' else keys['heads']
    for published, theirs in heads.items():
        for ours, name in numbered(
            (published.replace('*', 'weight'), theirs.replace('*', 'weight'))
        ):
            if heads_of(task, ours) and '{' not in name:
                pairs.append((ours, name))
    values = {theirs: torch.tensor(float(index)) for index, (_, theirs) in enumerate(pairs)}
    renamed = from_transformers(values, task)
    assert renamed == {ours: values[theirs] for ours, theirs in pairs}


def test_gates_are_joined():
    gate, up = torch.zeros(2, 3), torch.ones(2, 3)
    names = {'model.layer.0.mlp.gate_proj.weight': gate, 'model.layer.0.mlp.up_proj.weight': up}
    renamed = from_transformers(names, 'pretrain')
    assert list(renamed) == ['blocks.0.ffn.w12.weight']
    assert renamed['blocks.0.ffn.w12.weight'].tolist() == [[0.0] * 3] * 2 + [[1.0] * 3] * 2


def test_wrong_tasks_and_names():
    with pytest.raises(ValueError, match="task 'albedo' is not one of"):
        from_transformers({}, 'albedo')
    with pytest.raises(
        ValueError, match="'classifier.weight' is not a name of a transformers model"
    ):
        from_transformers({'classifier.weight': torch.zeros(1)}, 'pose')
