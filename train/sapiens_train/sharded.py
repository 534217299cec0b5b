# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Training with parameters, gradients and optimizer state split over the ranks (PyTorch FSDP2).

A checkpoint is a folder ``<name>.shards``, which every rank writes its part of, and the small file
``<name>.pth`` with all else, written last. It loads at any number of ranks.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import broadcast, is_main_process
from torch import distributed as dist
from torch import nn

from sapiens_common.checkpoint import SHARDS, read_checkpoint, shards_of
from sapiens_common.checkpoint_names import from_published
from sapiens_common.files.atomic import PARTIAL_SUFFIX
from sapiens_common.models.precision import autocast_forward
from sapiens_common.sharded_files import require_fsdp2

from .checkpoint_files import save_checkpoint_file
from .registry import RUNNERS
from .runner import SapiensRunner, scheduler_states, to_cpu

try:
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_model_state_dict,
        get_optimizer_state_dict,
        set_model_state_dict,
        set_optimizer_state_dict,
    )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
except ImportError:  # before torch 2.6: wrap_model says so, and everything else works there
    pass


@RUNNERS.register_module()
class ShardedRunner(SapiensRunner):
    """``SapiensRunner`` for models that do not fit one GPU with their optimizer state.

    The config's ``sharding`` says how: ``blocks``, names of module lists whose items are gathered one
    at a time; ``param_dtype``, in which those of encoder and neck travel and compute (None: as stored);
    ``reshard_after_forward``, whether they are dropped again before the backward pass (less memory,
    more traffic). Gradients are reduced in fp32.
    """

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Initialise the model, alike on all ranks, and split it.

        Raises:
            ImportError: torch is older than 2.6.
            ValueError: There is no process group, a wrapper is configured, or ``blocks`` names no
                module list.
        """
        require_fsdp2()
        if not self.distributed:
            raise ValueError(
                'ShardedRunner splits a model over processes; start it with tools/dist_train.sh CONFIG '
                'GPUS (1 is possible) or tools/slurm_train.sh'
            )
        if model_wrapper_cfg is not None:
            raise ValueError(f'ShardedRunner takes no model_wrapper_cfg, got {model_wrapper_cfg}')
        model = model.to(get_device())
        if hasattr(model, 'init_weights'):
            model.init_weights()
        for tensor in (*model.parameters(), *model.buffers()):
            broadcast(tensor.data)
        shard_model(model, **self.cfg.get('sharding', {}))
        local = sum(p.to_local().numel() for p in model.parameters())
        total = sum(p.numel() for p in model.parameters())
        self.logger.info(f'{local} of {total} parameters on this rank')
        return model

    def _init_model_weights(self) -> None:
        """Done before the split: initialisers need whole tensors."""

    def _load_model(self, state_dict: dict[str, torch.Tensor], filename: str) -> None:
        """Load from the checkpoint's shards where it has them, else from its whole tensors."""
        shards = shards_of(filename)
        try:
            if shards.is_dir():
                state: dict[str, Any] = {'model': get_model_state_dict(self.model)}
                dcp.load(state, checkpoint_id=shards)
                set_model_state_dict(self.model, state['model'])
            else:
                options = StateDictOptions(full_state_dict=True)
                set_model_state_dict(self.model, from_published(state_dict), options=options)
        except (RuntimeError, CheckpointException) as error:
            name = type(self.model).__name__
            raise ValueError(f'checkpoint {filename} does not fit {name}: {error}') from error

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str | Callable = 'default',
    ) -> None:
        """Restore model, optimizer, schedulers and the position in the training data.

        Raises:
            ValueError: The checkpoint is a whole one; it can be loaded, not resumed from.
        """
        shards = shards_of(filename)
        if not shards.is_dir():
            raise ValueError(
                f'{filename} was not written by a sharded run ({shards} is missing): start from its '
                'weights with load_from instead of resuming'
            )
        # The optimizer comes first: schedulers must find its groups as they were.
        optimizer = self.optim_wrapper.optimizer
        if resume_optimizer:
            state = {'optimizer': get_optimizer_state_dict(self.model, optimizer)}
            dcp.load(state, checkpoint_id=shards)
            set_optimizer_state_dict(self.model, optimizer, state['optimizer'])
            own = read_checkpoint(filename).training['optimizer']
            self.optim_wrapper.load_state_dict({**own, **optimizer.state_dict()})
        super().resume(filename, False, resume_param_scheduler, map_location)

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        backend_args: dict | None = None,
    ) -> None:
        """Write a sharded checkpoint, completely or not at all. All ranks take part.

        Raises:
            ValueError: The folder is not a local (or mounted) path.
            OSError: It could not be written; the checkpoints before are untouched.
        """
        if '://' in str(out_dir) or file_client_args or backend_args:
            raise ValueError(f'sharded checkpoints need a mounted folder, got {out_dir}')
        path = Path(out_dir, filename)
        aside = path.with_name(f'.{path.stem}{SHARDS}{PARTIAL_SUFFIX}')
        if is_main_process():
            shutil.rmtree(aside, ignore_errors=True)
        dist.barrier()
        state: dict[str, Any] = {'model': get_model_state_dict(self.model)}
        if save_optimizer:
            state['optimizer'] = get_optimizer_state_dict(self.model, self.optim_wrapper.optimizer)
        try:
            dcp.save(state, checkpoint_id=aside)
        except CheckpointException as error:  # on all ranks
            raise OSError(f'{path} could not be written ({error}). Is the disk full?') from error
        wrapper_state = self.optim_wrapper.state_dict()
        for name in ('state', 'param_groups'):
            del wrapper_state[name]
        rest = {
            'meta': self._checkpoint_meta(dict(meta or {}), by_epoch),
            'state_dict': {},
            'message_hub': to_cpu(self.message_hub.state_dict()),
            'optimizer': wrapper_state,  # the optimizer's own is in the shards
        }
        if save_param_scheduler and self.param_schedulers is not None:
            rest['param_schedulers'] = scheduler_states(self.param_schedulers)
        self.call_hook('before_save_checkpoint', checkpoint=rest)
        try:
            if is_main_process():
                shutil.rmtree(shards_of(path), ignore_errors=True)
                aside.rename(shards_of(path))
                save_checkpoint_file(rest, path)
                _remove_orphans(path.parent)
        finally:  # the others wait here, also for a main process that fails
            dist.barrier()


def shard_model(
    model: nn.Module,
    blocks: tuple[str, ...] = ('backbone.layers',),
    param_dtype: str | None = None,
    reshard_after_forward: bool = True,
) -> None:
    """Split a model over all ranks, in place; see :class:`ShardedRunner`.

    Raises:
        ValueError: ``blocks`` names no module list of the model.
    """
    device = torch.device(get_device())
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    options = {'mesh': mesh, 'reshard_after_forward': reshard_after_forward}
    # Autocast decides what is computed in which precision; inputs stay as they are, as the targets
    # of masked pretraining are made from them.
    whole = MixedPrecisionPolicy(reduce_dtype=torch.float32, cast_forward_inputs=False)
    dtype = getattr(torch, param_dtype) if param_dtype else None
    low = replace(whole, param_dtype=dtype)
    for name in blocks:
        items = dict(model.named_modules()).get(name)
        if not isinstance(items, nn.ModuleList):
            raise ValueError(
                f'sharding.blocks: {name!r} is not a module list of {type(model).__name__}; expected a '
                "name such as 'backbone.layers'"
            )
        for item in items:
            fully_shard(item, mp_policy=low, **options)
    for name in ('backbone', 'neck'):
        # These gather their own parameters, so that they can also be called alone. Heads are entered by
        # methods of theirs (`loss`, `predict`), which gather nothing: the whole model gathers for them.
        part = getattr(model, name, None)
        if isinstance(part, nn.Module):
            if dtype is not None:  # evaluation has no autocast of its own
                autocast_forward(part, dtype, device)
            fully_shard(part, mp_policy=low, **options)
    fully_shard(model, mp_policy=whole, **options)


def _remove_orphans(folder: Path) -> None:
    """Delete shards whose checkpoint the hook has deleted, or that a killed run left half-written."""
    for path in (*folder.glob(f'*{SHARDS}'), *folder.glob(f'.*{SHARDS}{PARTIAL_SUFFIX}')):
        if path.name.startswith('.') or not path.with_suffix('.pth').exists():
            shutil.rmtree(path, ignore_errors=True)
