# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Process groups: NCCL with GPUs, gloo without."""

import gc
import os

import torch
import torch.distributed as dist

# Before there is a group: its functions keep the one of the time of their import as a default, and torch imports them
# late otherwise.
import torch.distributed.nn.functional
from mmengine.dist import init_dist


def init_process_group(launcher: str) -> None:
    """Join the process group of a launcher before the runner does.

    Cause: mmengine's ``init_dist`` selects a CUDA device unconditionally, so it cannot start a CPU
    group. With CUDA this is mmengine's own function.

    Args:
        launcher: ``none``, ``pytorch`` (torchrun), ``slurm`` or ``mpi``.
    """
    if launcher == 'none' or dist.is_initialized():
        return
    if torch.cuda.is_available():
        init_dist(launcher, backend='nccl')
        return
    if launcher == 'slurm':
        _export_slurm_env()
    dist.init_process_group('gloo')


def leave_process_group() -> None:
    """Leave the group after a run that succeeded.

    Threads of a group that is still there can abort a process that exits, and a model that is not collected yet
    keeps them: runner, hooks and model refer to each other. After an error the group stays: leaving waits for other
    ranks, which may be gone, and the launcher would wait with it.
    """
    if dist.is_initialized():
        gc.collect()
        dist.destroy_process_group()


def _export_slurm_env() -> None:
    """Translate SLURM's variables to those of torchrun (MASTER_ADDR and MASTER_PORT must be set)."""
    for ours, theirs in (
        ('RANK', 'SLURM_PROCID'),
        ('WORLD_SIZE', 'SLURM_NTASKS'),
        ('LOCAL_RANK', 'SLURM_LOCALID'),
    ):
        os.environ.setdefault(ours, os.environ[theirs])
