# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every published file form loads strictly; everything else is an error that says what to do."""

import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model.weight_init import PretrainedInit
from safetensors.torch import save_file
from torch import nn

from sapiens_common.checkpoint import load_checkpoint, load_encoder, read_checkpoint
from sapiens_common.sharded_files import read_whole_checkpoint
from sapiens_pretrain.models.vit import SapiensViT

ARCH = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=64)


class Model(nn.Module):
    """A task model in small: an encoder and a head."""

    def __init__(self, **settings):
        super().__init__()
        self.backbone = SapiensViT(arch=ARCH, img_size=(64, 48), **settings)
        self.backbone.init_weights()
        self.head = nn.Conv2d(32, 3, 1)

    def forward(self, x):
        return self.head(self.backbone(x)[0])


def _save_pth(model, path):
    torch.save({'state_dict': model.state_dict(), 'meta': {'epoch': 3}}, path)


def _save_bare(model, path):
    torch.save(model.state_dict(), path)


def _save_safetensors(model, path):
    save_file(model.state_dict(), path)


def _save_torchscript(model, path):
    traced = torch.jit.trace(model.eval(), torch.randn(1, 3, 64, 48))
    traced.save(str(path))


def _save_wrapped(model, path):
    torch.save({f'module._orig_mod.{k}': v for k, v in model.state_dict().items()}, path)


FORMS = {
    'a.pth': _save_pth,
    'bare.pth': _save_bare,
    'a.safetensors': _save_safetensors,
    'a_torchscript.pt2': _save_torchscript,
    'wrapped.pth': _save_wrapped,
}


@pytest.mark.parametrize('name', FORMS)
def test_every_form_loads(tmp_path, name):
    source, target = Model(), Model()
    FORMS[name](source, tmp_path / name)
    load_checkpoint(target, tmp_path / name)
    images = torch.randn(1, 3, 64, 48)
    torch.testing.assert_close(target.eval()(images), source.eval()(images))


def test_meta_and_training_state_survive(tmp_path):
    _save_pth(Model(), tmp_path / 'a.pth')
    assert read_checkpoint(tmp_path / 'a.pth').meta == {'epoch': 3}


def test_files_mmengine_writes_are_read(tmp_path):
    # These are what torch >= 2.6 refuses by default: a message hub and NumPy values.
    hub = {'log_scalars': {'loss': HistoryBuffer([1.0, 2.0], [1, 1])}}
    meta = {'AP': np.float64(0.5), 'ids': np.arange(3)}
    torch.save({'state_dict': {}, 'meta': meta, 'message_hub': hub}, tmp_path / 'a.pth')
    content = read_checkpoint(tmp_path / 'a.pth')
    assert content.meta['AP'] == 0.5
    assert content.meta['ids'].tolist() == [0, 1, 2]
    assert content.training['message_hub']['log_scalars']['loss'].mean() == 1.5


@pytest.mark.parametrize('prefix', ['backbone.', ''])
def test_encoder_of_a_pretraining_file(tmp_path, prefix, caplog):
    mae = SapiensViT(arch=ARCH, img_size=64, with_cls_token=True)
    mae.init_weights()
    content = {prefix + name: value for name, value in mae.state_dict().items()}
    if prefix:
        content['neck.mask_token'] = torch.zeros(1, 1, 8)
    torch.save(content, tmp_path / 'mae.pth')
    model = Model()
    report = load_encoder(model.backbone, tmp_path / 'mae.pth')
    assert torch.equal(model.backbone.layers[1].ln2.weight, mae.layers[1].ln2.weight)
    expected = '; 1 others not used (neck)' if prefix else ''
    assert str(report).endswith(f'{len(mae.state_dict())} tensors loaded{expected}')


def test_init_cfg_loads_the_encoder_strictly(tmp_path):
    _save_pth(Model(), tmp_path / 'a.pth')
    checkpoint = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))
    encoder = SapiensViT(arch=ARCH, img_size=(64, 48), init_cfg=checkpoint)
    encoder.init_weights()
    wider = SapiensViT(arch='tiny', img_size=(64, 48), init_cfg=checkpoint)
    with pytest.raises(ValueError, match='the checkpoint is of another size'):
        wider.init_weights()


@pytest.mark.parametrize(
    'form',
    [
        lambda path: dict(type='Pretrained', checkpoint=path),
        lambda path: [dict(type='Pretrained', checkpoint=path)],
        lambda path: dict(type=PretrainedInit, checkpoint=path, map_location='cpu'),
        lambda path: [
            dict(type='TruncNormal', layer='Linear'),
            dict(type='Pretrained', checkpoint=path),
        ],
        lambda path: dict(type='Pretrained', checkpoint=path, prefix='backbone'),
        lambda path: dict(type='Pretrained', checkpoint=path, prefix='backbone.'),
    ],
)
def test_every_form_of_init_cfg_loads_everything(tmp_path, form):
    model = Model()
    torch.nn.init.normal_(model.backbone.pos_embed)
    _save_pth(model, tmp_path / 'a.pth')
    encoder = SapiensViT(arch=ARCH, img_size=(64, 48), init_cfg=form(str(tmp_path / 'a.pth')))
    encoder.init_weights()
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(encoder.state_dict()[name], value), name


def test_the_encoder_under_another_name(tmp_path):
    content = {f'teacher.{name}': value for name, value in Model().backbone.state_dict().items()}
    torch.save(content, tmp_path / 'a.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'), prefix='teacher')
    encoder = SapiensViT(arch=ARCH, img_size=(64, 48), init_cfg=init_cfg)
    encoder.init_weights()
    assert torch.equal(encoder.pos_embed, content['teacher.pos_embed'])


def test_options_of_init_cfg_that_do_not_apply():
    init_cfg = dict(type='Pretrained', checkpoint='a.pth', override=dict(name='ln1'))
    with pytest.raises(ValueError, match='an encoder is loaded whole'):
        SapiensViT(arch=ARCH, img_size=(64, 48), init_cfg=init_cfg).init_weights()


@pytest.mark.parametrize('kind', [torch.int8, torch.uint8])
def test_quantised_weights_are_refused(tmp_path, kind):
    content = Model().state_dict()
    content['backbone.layers.0.attn.qkv.weight'] = torch.ones(96, 32, dtype=kind)
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'is quantised: 1 of its tensors .*qkv.weight'):
        load_checkpoint(Model(), tmp_path / 'a.pth')


def _without_head(content):
    return {name: value for name, value in content.items() if not name.startswith('head')}


def _with_extra(content):
    return {**content, 'head.extra': torch.zeros(1)}


def _other_classes(content):
    return {**content, 'head.weight': torch.zeros(5, 32, 1, 1), 'head.bias': torch.zeros(5)}


def _other_depth(content):
    return {
        name: value for name, value in content.items() if not name.startswith('backbone.layers.1.')
    }


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (_without_head, r'2 missing \[head.weight, head.bias\], 0 unexpected'),
        (_with_extra, r'0 missing \[\], 1 unexpected \[head.extra\]'),
        (_other_classes, r'size mismatch for head.weight'),
        (_other_depth, r'12 missing \[backbone.layers.1.ln1.weight'),
    ],
)
def test_misfit_names_keys_and_the_way_out(tmp_path, change, message):
    torch.save(change(Model().state_dict()), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message) as error:
        load_checkpoint(Model(), tmp_path / 'a.pth')
    assert 'hoose the config' in str(error.value)
    assert 'a.pth' in str(error.value)


class _Payload:
    """Unpickling this would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_pickle_is_refused_and_not_run(tmp_path):
    torch.save({'state_dict': {}, 'meta': _Payload(str(tmp_path / 'ran'))}, tmp_path / 'evil.pth')
    with pytest.raises(ValueError, match='not executed'):
        read_checkpoint(tmp_path / 'evil.pth')
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('missing.pth', None, 'does not exist'),
        ('empty.pth', b'', 'cannot be read|is damaged'),
        ('text.pth', b'not a checkpoint', 'is damaged|cannot be read'),
        ('text.safetensors', b'not a checkpoint', 'cannot be read'),
        ('list.pth', [1, 2], 'holds no state dict'),
    ],
)
def test_unreadable_files(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match=message) as error:
        read_checkpoint(path)
    assert name in str(error.value)


def test_torn_file(tmp_path):
    _save_pth(Model(), tmp_path / 'a.pth')
    whole = (tmp_path / 'a.pth').read_bytes()
    (tmp_path / 'a.pth').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match='cannot be read|is damaged'):
        read_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize('form', ['zip', 'legacy', 'torchscript', 'safetensors'])
def test_bytes_changed_at_random(tmp_path, form):
    path = tmp_path / ('a.safetensors' if form == 'safetensors' else 'a.pth')
    layer = nn.Linear(3, 3)
    if form == 'torchscript':
        torch.jit.trace(layer, torch.zeros(1, 3)).save(str(path))
    elif form == 'safetensors':
        save_file(layer.state_dict(), path)
    else:
        content = {'state_dict': layer.state_dict(), 'meta': {'lr': np.float64(1)}}
        torch.save(content, path, _use_new_zipfile_serialization=form == 'zip')
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.random(3) ** 2:
            damaged[int(place * len(whole))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)
        except ValueError as error:
            assert path.name in str(error)
            refused += 1
    assert refused > 10


def test_names_must_be_texts(tmp_path):
    torch.save({1: torch.zeros(1)}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a\.pth holds no state dict'):
        read_checkpoint(tmp_path / 'a.pth')


class _RunsWhenLoaded(nn.Module):
    def __init__(self, path: str):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.path = path

    @torch.jit.export
    def __getstate__(self):
        return self.weight, self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, str, bool]):
        self.weight, self.path, self.training = state[0], state[1], state[2]
        torch.save(self.weight, self.path)

    def forward(self, x):
        return x


def test_code_in_torchscript_is_refused_and_not_run(tmp_path):
    torch.jit.script(_RunsWhenLoaded(str(tmp_path / 'ran'))).save(str(tmp_path / 'evil.pt2'))
    torch.jit.load(str(tmp_path / 'evil.pt2'))
    (tmp_path / 'ran').unlink()  # it does run
    with pytest.raises(ValueError, match=r'evil\.pt2 cannot be read.*code that would run'):
        read_checkpoint(tmp_path / 'evil.pt2')
    assert not (tmp_path / 'ran').exists()


def test_no_encoder_in_the_file(tmp_path):
    torch.save({'conv.weight': torch.zeros(1)}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='holds no Sapiens encoder.*conv.weight'):
        load_encoder(Model().backbone, tmp_path / 'a.pth')


def test_weights_of_a_sharded_run_are_joined_first(tmp_path):
    path, model = tmp_path / 'iter_4.pth', Model()
    torch.save({'state_dict': {}, 'meta': {}}, path)
    with pytest.raises(ValueError, match=r'iter_4\.pth holds no weights; .*iter_4\.shards, which'):
        read_whole_checkpoint(path)
    (tmp_path / 'iter_4.shards').mkdir()
    for load in (load_checkpoint, lambda model, path: load_encoder(model.backbone, path)):
        with pytest.raises(ValueError, match=r'of a sharded run.*checkpoint\.py .*iter_4\.pth OUT'):
            load(model, path)


def test_getattr_of_anything_else_is_refused(tmp_path):
    class Reader:
        def __reduce__(self):
            return getattr, (np.ndarray, '__init__')

    torch.save({'state_dict': {}, 'meta': Reader()}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='is not data'):
        read_checkpoint(tmp_path / 'a.pth')


def test_plain_pickle_is_no_checkpoint(tmp_path):
    (tmp_path / 'a.pth').write_bytes(pickle.dumps(_Payload(str(tmp_path / 'ran'))))
    with pytest.raises(ValueError, match='is damaged'):
        read_checkpoint(tmp_path / 'a.pth')
    assert not (tmp_path / 'ran').exists()


def test_weights_under_another_name_are_named(tmp_path):
    torch.save({'model': {'a': torch.ones(1)}}, tmp_path / 'timm.pth')
    with pytest.raises(
        ValueError, match=r"found the entries \['model'\]; weights under another name"
    ):
        read_checkpoint(tmp_path / 'timm.pth')
