# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading the checkpoints of sharded training: a small file ``<name>.pth`` beside a folder ``<name>.shards``."""

from pathlib import Path

import torch
from packaging.version import Version

from .checkpoint import Checkpoint, read_checkpoint, shards_of

HAS_FSDP2 = Version(torch.__version__) >= Version('2.6')


def require_fsdp2() -> None:
    """Say which torch is needed.

    Raises:
        ImportError: It is older.
    """
    if not HAS_FSDP2:
        raise ImportError(
            f'training and reading sharded models needs torch 2.6 or newer, found {torch.__version__}'
        )


def read_whole_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint of either kind in one process; a sharded one is joined (model only).

    Raises:
        ValueError: It cannot be read, or has no weights.
        ImportError: It is sharded, and torch is older than 2.6.
    """
    content = read_checkpoint(path)
    if content.state_dict:
        return content
    shards = shards_of(path)
    if not shards.is_dir():
        raise ValueError(
            f'checkpoint {path} holds no weights; those of a sharded run are read from {shards}, which does not exist'
        )
    require_fsdp2()
    import torch.distributed.checkpoint as dcp

    prefix = 'model.'
    stored = dcp.FileSystemReader(shards).read_metadata().state_dict_metadata
    state = {
        name: torch.empty(entry.size, dtype=entry.properties.dtype)
        for name, entry in stored.items()
        if name.startswith(prefix)
    }
    dcp.load(state, checkpoint_id=shards, no_dist=True)
    tensors = {name.removeprefix(prefix): value for name, value in state.items()}
    return Checkpoint(tensors, content.meta, content.training)
