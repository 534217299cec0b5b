# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Whatever a trainer stores beside tensors, the tensors are read and no code runs."""

import datetime
import os
import pickle
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer

from sapiens_common.checkpoint import read_checkpoint
from sapiens_common.unpickling import data_globals, load_data

META = {
    # As mmpose's metainfo parser leaves it when a data set's configuration comes from a config.
    'mapping': ConfigDict({'a': {'b': [1, 2]}}),
    'config': Config({'model': {'type': 'X'}}),
    'names': OrderedDict([('nose', 0)]),
    'counts': defaultdict(int, {'a': 2}),
    'most': Counter('aab'),
    'sigmas': np.array([0.5, 0.25], np.float32),
    'objects': np.array(['a', None], dtype=object),
    'texts': np.array(['left', 'right']),
    'score': np.float64(0.5),
    'count': np.int32(3),
    'flag': np.bool_(True),
    'half': np.float16(0.5),
    'kind': np.dtype('uint16'),
    'bytes': b'\x00\xff',
    'path': PurePosixPath('a/b'),
    'when': datetime.datetime(2024, 8, 22, 1, 2, 3),
    'pairs': {(0, 1), (1, 2)},
    'dtype': torch.float16,
    'size': torch.Size([2, 3]),
    'device': torch.device('cpu'),
    'slice': slice(1, 2),
}


class Author:
    """A class of somebody's own training code."""

    def __init__(self, name):
        self.name = name


class Call:
    """Unpickling this calls a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def equal(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.tolist() == b.tolist()
    if isinstance(a, Config):
        return a.to_dict() == b.to_dict()
    if isinstance(b, defaultdict):
        return a == b  # read as a plain dictionary
    return type(a) is type(b) and a == b


@pytest.mark.parametrize('protocol', [2, 4, 5])
@pytest.mark.parametrize('name', META)
def test_data_comes_back(tmp_path, name, protocol):
    path = tmp_path / 'a.pth'
    torch.save({'state_dict': {}, 'meta': {name: META[name]}}, path, pickle_protocol=protocol)
    content = read_checkpoint(path)
    assert equal(content.meta[name], META[name])
    assert not content.left_out


@pytest.mark.parametrize('zipped', [True, False])
def test_tensors_of_every_kind(tmp_path, zipped):
    tensors = {
        'a': torch.arange(6.0).view(2, 3),
        'strided': torch.arange(6.0).view(2, 3).T,
        'bf16': torch.ones(2, dtype=torch.bfloat16),
        'int': torch.arange(3),
        'bool': torch.tensor([True]),
        'parameter': torch.nn.Parameter(torch.ones(2)),
        'empty': torch.empty(0, 4),
    }
    tensors['shared'] = tensors['a'][0]
    torch.save({'state_dict': tensors}, tmp_path / 'a.pth', _use_new_zipfile_serialization=zipped)
    content = read_checkpoint(tmp_path / 'a.pth').state_dict
    assert all(torch.equal(content[name], value) for name, value in tensors.items())
    assert all(content[name].dtype == value.dtype for name, value in tensors.items())


def test_unknown_objects_are_left_out_and_named(tmp_path, warned):
    meta = {'epoch': 3, 'who': Author('a'), 'deep': {'list': [1, [Author('b')]], 'kept': 1}}
    meta['hook'] = np.array([Author('c')], dtype=object)
    content = {'state_dict': {'w': torch.ones(2)}, 'meta': meta, 'extra': Author('d')}
    torch.save(content, tmp_path / 'a.pth')
    found = read_checkpoint(tmp_path / 'a.pth')
    assert found.state_dict['w'].tolist() == [1, 1]
    assert found.meta == {'epoch': 3, 'deep': {'kept': 1}}
    assert set(found.left_out) == {'meta.who', 'meta.deep.list', 'meta.hook', 'extra'}
    assert found.left_out['meta.who'].endswith('test_unpickling.Author')
    assert 'a.pth: left out' in warned[0] and 'meta.deep.list' in warned[0]


def test_unknown_functions_are_left_out_and_not_called(tmp_path):
    meta = {'data': Call(np.load, str(tmp_path / 'x.npy')), 'epoch': 1}
    torch.save({'state_dict': {}, 'meta': meta}, tmp_path / 'a.pth')
    found = read_checkpoint(tmp_path / 'a.pth')
    assert found.meta == {'epoch': 1} and list(found.left_out) == ['meta.data']


def test_an_unknown_object_among_the_weights_is_refused(tmp_path):
    torch.save({'state_dict': {'w': Author('a')}}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'state_dict.w is an object of .*Author, not a tensor'):
        read_checkpoint(tmp_path / 'a.pth')
    torch.save(Author('a'), tmp_path / 'b.pth')
    with pytest.raises(ValueError, match=r'b\.pth is damaged.*an object of .*Author'):
        read_checkpoint(tmp_path / 'b.pth')


@pytest.mark.parametrize(
    'call',
    [
        Call(os.mkdir, 'ran'),
        Call(eval, '__import__("os").mkdir("ran")'),
        Call(exec, '__import__("os").mkdir("ran")'),
        Call(getattr, np.ndarray, 'tofile'),
        Call(__import__, 'antigravity'),
        Call(open, 'ran', 'w'),
    ],
)
def test_what_attacks_use_refuses_the_file(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    torch.save({'state_dict': {}, 'meta': {'a': call}}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='not executed'):
        read_checkpoint(tmp_path / 'a.pth')
    assert not Path('ran').exists()


def test_classes_cannot_be_changed(tmp_path):
    # GLOBAL HistoryBuffer, then BUILD with a slot state: what __reduce__ cannot write.
    name = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'
    state = pickle.dumps((None, {'poisoned': True}), protocol=2)[2:-1]
    (tmp_path / 'a.pth').write_bytes(b'\x80\x02' + name + state + b'b.')
    with pytest.raises(ValueError, match=r'a\.pth is damaged.*changes the state of'):
        read_checkpoint(tmp_path / 'a.pth')
    assert not hasattr(HistoryBuffer, 'poisoned')


def test_the_list_holds_no_way_to_run_code():
    # Whoever adds a name here must see that calling it with anything runs no code of the file.
    modules = {name.rsplit('.', 1)[0] for name in data_globals()}
    assert modules <= {
        'builtins', '_codecs', 'collections', 'datetime', 'pathlib', 'numpy',
        'numpy.dtypes', 'numpy.core.multiarray', 'numpy._core.multiarray', 'numpy._core.numeric',
        'numpy.core.numeric', 'addict.addict', 'mmengine.config.config',
        'mmengine.logging.history_buffer',
    }  # fmt: skip


def test_mapped_reading(tmp_path):
    torch.save({'state_dict': {'w': torch.ones(3)}}, tmp_path / 'a.pth')
    content, left_out = load_data(tmp_path / 'a.pth', mmap=True)
    assert content['state_dict']['w'].sum() == 3 and not left_out
