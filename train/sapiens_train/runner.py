# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The runner that all recipes name: mmengine's, with strict loading and exact resume."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmengine.dist import broadcast_object_list, master_only
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.registry import LOOPS
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmengine.runner.checkpoint import weights_to_cpu
from mmengine.utils import apply_to
from mmengine.visualization import Visualizer
from torch import nn

from sapiens_common.checkpoint import load_state_dict_strict, read_checkpoint
from sapiens_common.checkpoint_names import from_published
from sapiens_common.weights import find_weights

from .checkpoint_files import (
    find_newest_checkpoint,
    remove_partial_files,
    save_checkpoint_file,
)
from .fit import check_fit
from .loops import ResumableEpochLoop, ResumableIterLoop
from .registry import RUNNERS
from .seeding import run_seed

_REPLACED = {EpochBasedTrainLoop: ResumableEpochLoop, IterBasedTrainLoop: ResumableIterLoop}
_RESUMABLE = (ResumableEpochLoop, ResumableIterLoop)


@RUNNERS.register_module()
class SapiensRunner(Runner):
    """mmengine's runner, with these differences.

    - ``load_checkpoint`` (for ``load_from``, tools/test.py and resume) is strict and accepts every
      file form of :mod:`sapiens_common.checkpoint`.
    - Checkpoints appear complete or not at all; ``resume=True`` takes the newest complete one.
    - ``train_cfg`` with ``by_epoch``, or with mmengine's loop types, builds the loops of
      :mod:`.loops`: a resumed run is bit-identical to one that was never interrupted.
    - A distributed run works without a GPU.
    """

    # Set by upstream's __init__; named here for type checkers.
    _resume: bool
    _load_from: str | None

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model, and check that its parts fit each other."""
        built = super().build_model(model)
        check_fit(built, self.cfg, training=False)
        return built

    def build_visualizer(self, visualizer: Visualizer | dict | None = None) -> Visualizer:
        """Build this run's own; under the name in a config it would be an earlier run's, with its folder."""
        if isinstance(visualizer, dict):
            visualizer = {key: value for key, value in visualizer.items() if key != 'name'}
        return super().build_visualizer(visualizer)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the training loop; in place of mmengine's own two its resumable subclasses.

        The images of the training pipeline must fit the encoder.
        """
        check_fit(getattr(self.model, 'module', self.model), self.cfg)
        if isinstance(loop, dict):
            loop = dict(loop)
            if 'type' not in loop:
                loop['type'] = (
                    EpochBasedTrainLoop if loop.pop('by_epoch', True) else IterBasedTrainLoop
                )
            kind = loop['type']
            kind = LOOPS.get(kind) if isinstance(kind, str) else kind
            loop['type'] = _REPLACED.get(kind, loop['type'])
        built = super().build_train_loop(loop)
        if not isinstance(built, _RESUMABLE):
            self.logger.warning(
                f'train_cfg.type={type(built).__name__}: resuming in the middle of an epoch is not '
                'exact with this loop. Leave the type out (by_epoch=True or False) to change that.'
            )
        return built

    def load_or_resume(self) -> None:
        """Load ``load_from``, or resume from it or from the newest complete checkpoint.

        Where there is none yet, the run starts with the config's ``start_from``.
        """
        if not self._has_loaded and self._resume and self._load_from is None:
            found = [self._find_resume_file() if self.rank == 0 else None]
            broadcast_object_list(found)  # all ranks read the file that rank 0 saw
            if found[0] is not None:
                self.logger.info(f'resuming from the newest complete checkpoint {found[0]}')
                self.resume(found[0])
                return
            self._resume = False  # EMAHook asks
            self._load_from = self.cfg.get('start_from')
            start = f'from {self._load_from}' if self._load_from else 'anew'
            self.logger.info(f'no checkpoint in {self.work_dir}: training starts {start}')
        super().load_or_resume()

    def _find_resume_file(self) -> str | None:
        """Newest complete checkpoint of this run; clears what a killed run left half-written.

        Raises:
            ValueError: Checkpoints are written to a storage that is not a mounted folder.
        """
        folders = [Path(self.work_dir)]
        for hook in self.hooks:
            out_dir = getattr(hook, 'out_dir', None)
            if out_dir and '://' in str(out_dir):
                raise ValueError(
                    f'--resume finds no checkpoints under {out_dir}: copy the newest here and pass --resume '
                    'FILE, or start anew without --resume, which overwrites them'
                )
            if out_dir:
                folders.append(Path(out_dir) / Path(self.work_dir).name)
        for folder in folders:
            remove_partial_files(folder)
        found = [path for path in map(find_newest_checkpoint, folders) if path is not None]
        return str(found[-1]) if found else None

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str | Callable = 'default',
    ) -> None:
        """Restore model, optimizer, schedulers and the position in the training data.

        Raises:
            ValueError: The training state holds objects of unknown classes.
        """
        super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
        lost = [name for name in self._left_out if name.split('.')[0] != 'meta']
        if lost:
            raise ValueError(
                f'{filename} cannot be resumed from, as objects of its training state are not known to '
                f'be data ({", ".join(lost)}); start from its weights with load_from instead'
            )
        if isinstance(self.train_loop, _RESUMABLE):
            self.train_loop.restore(self._loaded_meta.get('samples_in_epoch'))

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = True,
        revise_keys: list | None = None,
    ) -> dict[str, Any]:
        """Load a checkpoint strictly, of any form that :mod:`sapiens_common.checkpoint` reads.

        ``filename`` may be a published name or a URL.

        Raises:
            ValueError: The file cannot be read or does not fit the model.
        """
        content = read_checkpoint(find_weights(filename))
        self._left_out = content.left_out
        # Hooks that read the weights (EMAHook) load what has their names and pass over the rest.
        state_dict = from_published(content.state_dict)
        checkpoint = {'state_dict': state_dict, 'meta': content.meta, **content.training}
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        self._load_model(checkpoint['state_dict'], str(filename))
        self._has_loaded = True
        self._loaded_meta = content.meta
        return checkpoint

    def _load_model(self, state_dict: dict[str, torch.Tensor], filename: str) -> None:
        load_state_dict_strict(self._unwrapped_model(), state_dict, filename)

    @master_only
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
        """Write a checkpoint of mmengine's layout, completely or not at all.

        A folder that is not a local path goes through mmengine's own method and its storage backend.

        Raises:
            OSError: It could not be written; the checkpoints before are untouched.
        """
        if '://' in str(out_dir) or file_client_args or backend_args:
            super().save_checkpoint(
                out_dir,
                filename,
                file_client_args,
                save_optimizer,
                save_param_scheduler,
                meta,
                by_epoch,
                backend_args,
            )
            return
        checkpoint = {
            'meta': self._checkpoint_meta(dict(meta or {}), by_epoch),
            'state_dict': weights_to_cpu(self._unwrapped_model().state_dict()),
            'message_hub': to_cpu(self.message_hub.state_dict()),
        }
        if save_optimizer:
            checkpoint['optimizer'] = to_cpu(self.optim_wrapper.state_dict())
        if save_param_scheduler and self.param_schedulers is not None:
            checkpoint['param_schedulers'] = scheduler_states(self.param_schedulers)
        self.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        save_checkpoint_file(checkpoint, os.path.join(out_dir, filename))

    def _checkpoint_meta(self, meta: dict[str, Any], by_epoch: bool) -> dict[str, Any]:
        """Metadata as mmengine writes it, the shared seed, and the position inside the epoch."""
        meta.setdefault('epoch', self.epoch + 1 if by_epoch else self.epoch)
        meta.setdefault('iter', self.iter if by_epoch else self.iter + 1)
        meta.update(
            cfg=self.cfg.pretty_text,
            seed=run_seed(self),
            experiment_name=self.experiment_name,
            time=time.strftime('%Y%m%d_%H%M%S', time.localtime()),
            mmengine_version=mmengine.__version__,
        )
        metainfo = getattr(self.train_dataloader.dataset, 'metainfo', None)
        if metainfo is not None:
            meta['dataset_meta'] = metainfo
        if isinstance(self.train_loop, _RESUMABLE):
            meta['samples_in_epoch'] = self.train_loop.progress(meta['epoch'], meta['iter'])
        return meta

    def _unwrapped_model(self) -> nn.Module:
        """The model below wrappers for data parallelism and test-time augmentation."""
        model = self.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        return model

    def _maybe_compile(self, target: str) -> None:
        """Compile the model's forward; mmengine compiles the step, which fails in the optimizer."""
        super()._maybe_compile('forward')

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap for data parallelism; without a GPU mmengine would still pass a device id."""
        if model_wrapper_cfg is None and self.distributed and not torch.cuda.is_available():
            model_wrapper_cfg = {
                'type': 'MMDistributedDataParallel',
                'device_ids': None,
                'find_unused_parameters': self.cfg.get('find_unused_parameters', False),
            }
        return super().wrap_model(model_wrapper_cfg, model)


def to_cpu(state: Any) -> Any:
    """A state dict with all tensors on the CPU."""
    return apply_to(state, lambda item: hasattr(item, 'cpu'), lambda item: item.cpu())


def scheduler_states(schedulers: list | dict) -> list | dict:
    """State dicts of the schedulers, in mmengine's layout."""
    if isinstance(schedulers, dict):
        return {name: [one.state_dict() for one in many] for name, many in schedulers.items()}
    return [scheduler.state_dict() for scheduler in schedulers]
