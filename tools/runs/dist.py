# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Process groups: NCCL with GPUs, gloo without."""

import gc
import os
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

# Before there is a group: its functions keep the one of the time of their import as a default, and torch imports them
# late otherwise.
import torch.distributed.nn.functional
from mmengine.dist import init_dist

_VARIABLES = {
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}
"""What launchers other than torchrun call ``RANK``, ``WORLD_SIZE`` and ``LOCAL_RANK``."""


def init_process_group(launcher: str, **options: Any) -> None:
    """Join the process group of a launcher before the runner does.

    Cause: mmengine's ``init_dist`` selects a CUDA device unconditionally, so it cannot start a CPU
    group, and leaves ``LOCAL_RANK`` unset under MPI. With CUDA the rest is mmengine's own function.

    Args:
        launcher: ``none``, ``pytorch`` (torchrun), ``slurm`` or ``mpi``. MPI needs ``MASTER_ADDR`` in the
            environment, and so does SLURM without a GPU.
        options: ``env_cfg.dist_cfg`` of a config: arguments of ``init_dist``, of which a group without a
            GPU reads ``timeout`` (seconds).
    """
    if launcher == 'none' or dist.is_initialized():
        return
    if launcher in _VARIABLES:
        for ours, theirs in zip(
            ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'), _VARIABLES[launcher], strict=True
        ):
            os.environ[ours] = os.environ[theirs]
        os.environ.setdefault('MASTER_PORT', '29500')  # torch's own
    if torch.cuda.is_available():
        init_dist(launcher, **options)
        return
    limit = {'timeout': timedelta(seconds=options['timeout'])} if 'timeout' in options else {}
    dist.init_process_group('gloo', **limit)


def leave_process_group() -> None:
    """Leave the group after a run that succeeded.

    Threads of a group that is still there can abort a process that exits, and a model that is not collected yet
    keeps them: runner, hooks and model refer to each other. After an error the group stays: leaving waits for other
    ranks, which may be gone, and the launcher would wait with it.
    """
    if dist.is_initialized():
        gc.collect()
        dist.destroy_process_group()
