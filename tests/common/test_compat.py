# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Version windows speak clearly, and each shim is still needed."""

import inspect
import subprocess
import sys

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import DefaultOptimWrapperConstructor

from sapiens_common import compat


def test_installed_versions_are_in_their_windows():
    compat.check_versions(*compat.WINDOWS)


def test_outside_the_window(monkeypatch):
    monkeypatch.setitem(compat.WINDOWS, 'mmcv', (('torch', '9.0.0', '9.1.0'),))
    with pytest.raises(
        ImportError, match=r'torch .* is installed.*pip install "torch>=9.0.0,<9.1.0"'
    ):
        compat.check_versions('mmcv')


def test_missing(monkeypatch):
    monkeypatch.setitem(compat.WINDOWS, 'nope', (('no-such-dist', '1.0', '2.0'),))
    with pytest.raises(ImportError, match='nope is not installed.*tools/install.sh'):
        compat.check_versions('nope')


def test_forks_have_their_own_window(monkeypatch):
    monkeypatch.setattr(
        compat.metadata,
        'version',
        lambda name: '2.3.6' if name == 'onedl-mmcv' else _not_found(name),
    )
    compat.check_versions('mmcv')


def test_opencv_that_warps_otherwise(monkeypatch):
    compat.warn_of_opencv()  # silent here
    monkeypatch.setattr(compat.metadata, 'version', lambda name: '5.0.0')
    with pytest.warns(UserWarning, match='opencv-python 5.0.0: its warpAffine differs'):
        compat.warn_of_opencv()


def test_torch_that_is_too_old(monkeypatch):
    monkeypatch.setattr(compat.metadata, 'version', lambda name: '2.0.1')
    with pytest.raises(ImportError, match='torch 2.0.1 is installed.*torch>=2.1.0'):
        compat.check_versions('torch')


def test_load_hooks_of_every_torch():
    class Old(torch.nn.Linear):
        register_load_state_dict_pre_hook = None

        def __getattribute__(self, name):
            if name == 'register_load_state_dict_pre_hook':
                raise AttributeError(name)
            return super().__getattribute__(name)

    for kind in (Old, torch.nn.Linear):
        module, seen = kind(1, 1), []
        compat.add_load_hook(module, lambda *args, seen=seen: seen.append((args[0], args[2])))
        torch.nn.Sequential(module).load_state_dict(
            {'0.weight': torch.ones(1, 1), '0.bias': torch.ones(1)}
        )
        assert seen == [(module, '0.')]


def test_loss_scaler_of_a_torch_that_has_one_for_cuda_alone(monkeypatch):
    monkeypatch.delattr(torch.amp, 'GradScaler', raising=False)
    assert not compat.grad_scaler('cpu', 2.0, False).is_enabled()
    with pytest.raises(ValueError, match='float16 on cpu needs torch 2.3'):
        compat.grad_scaler('cpu', 2.0, True)


def test_fused_optimizers_on_a_cpu_without(monkeypatch):
    monkeypatch.setattr(torch, '__version__', '2.1.2')
    monkeypatch.setattr(
        DefaultOptimWrapperConstructor,
        '__call__',
        inspect.unwrap(DefaultOptimWrapperConstructor.__call__),
    )
    compat.drop_fused()
    config = {'optimizer': {'type': 'SGD', 'lr': 0.1, 'fused': True}}
    built = DefaultOptimWrapperConstructor(config)(torch.nn.Linear(1, 1))
    assert not built.optimizer.defaults.get('fused')


def _not_found(name):
    raise compat.metadata.PackageNotFoundError(name)


def test_safe_globals_are_still_needed(tmp_path):
    # When this fails, mmengine reads its own checkpoints by itself: delete register_safe_globals.
    torch.save({'buffer': HistoryBuffer([1.0], [1])}, tmp_path / 'a.pth')
    code = f'import torch; torch.load({str(tmp_path / "a.pth")!r}, weights_only=True)'
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert 'WeightsUnpickler error' in result.stderr
