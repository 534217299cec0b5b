# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import importlib
import itertools
import sys
from pathlib import Path

import pytest
from mmengine.registry import RUNNERS

sys.path.append(str(Path(__file__).parent))  # processes that tests start find toy_job there, too
_TOY = importlib.import_module('toy_job')
_NAMES = itertools.count()


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    # mmengine's report in the log starts compilers to ask their versions: a second per runner.
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    # Durability against power failures cannot be tested here, and costs a lot on a busy disk.
    monkeypatch.setattr('os.fsync', lambda handle: None)


@pytest.fixture
def toy():
    """The module of the toy run."""
    return _TOY


@pytest.fixture
def build():
    """`build(config)`: a runner whose warnings and errors are kept in `runner.messages`."""

    kept = []

    def build_runner(config):
        config.experiment_name = f'engine_{next(_NAMES)}'
        runner = RUNNERS.build(config)
        runner.messages = []

        def keep(message, *args, **kwargs):
            runner.messages.append(str(message))

        for level in ('warning', 'error'):
            setattr(runner.logger, level, keep)
            kept.append((runner.logger, level))
        return runner

    yield build_runner
    for logger, level in kept:
        delattr(logger, level)


@pytest.fixture
def train(build):
    """`train(config, stop_after=None)`: the runner, left as by a kill after some iterations."""

    def run(config, stop_after=None):
        runner = build(config)
        if stop_after is None:
            runner.train()
            return runner
        loop = runner.build_train_loop(config.train_cfg)
        run_iter, left = loop.run_iter, [stop_after]

        def limited(*args):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            run_iter(*args)

        loop.run_iter = limited
        runner._train_loop = loop
        with pytest.raises(KeyboardInterrupt):
            runner.train()
        return runner

    return run
