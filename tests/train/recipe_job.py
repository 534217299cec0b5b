# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The shipped recipes at 64 x 48 on invented data, for the tests that kill them.

A server, so that the libraries are loaded once for all runs: each line of its input is a JSON list
``[command, *arguments]``, answered by one line.
"""

import json
import os
import socket
import sys
import traceback
from pathlib import Path

import mmpose.models  # noqa: F401  (loaded before the runs fork)
import mmpretrain.models  # noqa: F401
import mmseg.models  # noqa: F401
import torch
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
import _bootstrap  # noqa: E402, F401

sys.path.insert(0, str(ROOT / 'tests'))
from invented_data import PEOPLE, invent_data  # noqa: E402

ITERATIONS = 6

RECIPES = {
    'pose': 'configs/pose/sapiens_tiny_synthetic.py',
    'seg': 'configs/seg/sapiens_tiny_goliath.py',
    'depth': 'configs/depth/sapiens_tiny_render_people.py',
    'mae': 'configs/pretrain/sapiens_tiny_images.py',
}
# A recipe's sizes (either order of height and width) to those of the test.
_SIZES = {
    'pose': {(256, 192): (64, 48), (192, 256): (48, 64), (48, 64): (12, 16)},
    'seg': {(256, 192): (64, 48), (192, 256): (48, 64)},
    'depth': {(256, 192): (64, 48), (192, 256): (48, 64)},
    'mae': {(256, 256): (64, 64)},
}


def load_config(task, data, work_dir):
    """A recipe, small and short, with a checkpoint after every iteration."""
    os.environ['SAPIENS_IMAGES'] = f'{data}/images'
    config = Config.fromfile(ROOT / RECIPES[task])
    config = Config(_resize(config.to_dict(), _SIZES[task]), filename=config.filename)
    loader = config.train_dataloader
    loader.update(batch_size=2, num_workers=1)
    # Workers are forked here; the recipes' spawn costs seconds per run.
    config.env_cfg.mp_cfg.mp_start_method = 'fork'
    changes = {
        'work_dir': str(work_dir),
        'log_level': 'WARNING',
        'resume': True,
        'load_from': None,
        'train_cfg': {'by_epoch': False, 'max_iters': ITERATIONS}
        if task == 'mae'
        else {'by_epoch': True, 'max_epochs': ITERATIONS * 2 // PEOPLE},
        'default_hooks.checkpoint': {'interval': 1, 'by_epoch': False, 'max_keep_ckpts': 2},
        'auto_scale_lr': {'enable': False, 'base_batch_size': 2},
    }
    if 'save_best' in config.default_hooks.checkpoint:
        changes['default_hooks.checkpoint.save_best'] = None
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator', 'test_cfg', 'test_dataloader'):
        config[key] = None
    config.test_evaluator = None
    config.merge_from_dict(changes)
    if task != 'mae':
        loader.dataset.data_root = str(data)
    if task == 'depth':
        loader.dataset.ann_file = ''
    for step in loader.dataset.pipeline:
        if step.type == 'sapiens_common.RandomBackground':
            step.prob = 0
    return config


def _resize(node, sizes):
    """A config with its sizes replaced."""
    if isinstance(node, dict):
        return {key: _resize(value, sizes) for key, value in node.items()}
    if isinstance(node, list | tuple):
        if tuple(value for value in node if isinstance(value, int)) in sizes and len(node) == 2:
            return sizes[tuple(node)]
        return type(node)(_resize(value, sizes) for value in node)
    return node


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def run(task, data, work_dir, rank=0, processes=1, port=0):
    """Train in a fork of this process; the weights at the end go to ``result_<rank>.pt``."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        train(task, Path(data), Path(work_dir), rank, processes, port)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def wait(pid):
    """Exit code of a run, negative for the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def is_alive(pid):
    """Whether a run goes on."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def train(task, data, work_dir, rank, processes, port):
    log = open(work_dir / f'output_{rank}.txt', 'a', buffering=1)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    torch.set_num_threads(1)
    import mmengine.runner.runner

    mmengine.runner.runner.collect_env = dict  # starts compilers to ask their versions
    from runs import launch

    config = load_config(task, data, work_dir)
    if processes > 1:
        os.environ.update(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(processes),
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=str(port),
        )
    config.launcher = 'pytorch' if processes > 1 else 'none'
    runner = launch.build_runner(config)
    start = {'iterations': 0}
    resume = runner.resume

    def remember(*args, **kwargs):
        resume(*args, **kwargs)
        start['iterations'] = runner.iter

    runner.resume = remember
    runner.train()
    state = runner._unwrapped_model().state_dict()
    torch.save({'weights': state, **start}, work_dir / f'result_{rank}.pt')


def serve():
    """Answer commands until the input ends."""
    commands = {
        'invent': lambda folder: invent_data(Path(folder)),
        'port': free_port,
        'run': run,
        'wait': wait,
        'alive': is_alive,
    }
    answers = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        print(json.dumps(commands[command](*arguments)), file=answers)


if __name__ == '__main__':
    serve()
