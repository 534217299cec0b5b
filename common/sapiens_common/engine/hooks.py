# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""mmengine's checkpoint hook, reordered so that no moment leaves fewer checkpoints than before."""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from sapiens_common.registry import HOOKS

from .checkpoint_files import write_text_atomically


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """Writes the new checkpoint first and deletes the old one afterwards; arguments are upstream's.

    A checkpoint that cannot be written (disk full) is an error message while training goes on with
    the previous one in place, and an exception at the end of training.
    """

    # Set by upstream's before_train; named here for readers and type checkers.
    last_ckpt: str | None
    best_ckpt_path: str | None
    best_ckpt_path_dict: dict[str, str | None]

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Write, point ``last_checkpoint`` to it, then remove what is beyond ``max_keep_ckpts``."""
        limited = self.max_keep_ckpts > 0
        kept = list(self.keep_ckpt_ids) if limited else []
        if limited and step not in kept:
            # Saved with one too many: before_train removes it when a kill prevents us from doing so.
            runner.message_hub.update_info('keep_ckpt_ids', [*kept, step])
        previous = self.last_ckpt
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            if is_main_process():
                write_text_atomically(Path(runner.work_dir) / 'last_checkpoint', self.last_ckpt)
        except OSError as error:
            # Only the main process writes; the others go on as if nothing happened.
            self.last_ckpt = previous
            runner.message_hub.update_info('last_ckpt', previous)
            if limited:
                runner.message_hub.update_info('keep_ckpt_ids', kept)
            if meta['iter'] >= runner.max_iters:
                raise
            runner.logger.error(
                f'checkpoint not saved: {error}. Training goes on; a restart would continue from '
                f'{previous or "the beginning"}'
            )
            return
        if limited and step not in kept:
            kept.append(step)
            for old in kept[: -self.max_keep_ckpts]:
                self._remove(self.file_backend.join_path(self.out_dir, self._name(old)))
            self.keep_ckpt_ids.extend([step])  # a deque of max_keep_ckpts entries
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        """Write the new best checkpoints, then remove those they replace."""
        if not self.save_best:
            return
        single = 'best_ckpt_path' in vars(self)
        before = [self.best_ckpt_path] if single else list(self.best_ckpt_path_dict.values())
        held = {path: Path(path) for path in before if path}
        # Upstream removes what these attributes name before it writes.
        if single:
            self.best_ckpt_path = None
        else:
            old = dict(self.best_ckpt_path_dict)
            self.best_ckpt_path_dict = dict.fromkeys(old)
        super()._save_best_checkpoint(runner, metrics)
        if single:
            self.best_ckpt_path = self.best_ckpt_path or before[0]
            after = {self.best_ckpt_path}
        else:
            for key, path in old.items():
                self.best_ckpt_path_dict[key] = self.best_ckpt_path_dict.get(key) or path
            after = set(self.best_ckpt_path_dict.values())
        for path in held:
            if path not in after:
                self._remove(path)

    def _name(self, step: int) -> str:
        """File name of the checkpoint with a number."""
        return self.filename_tmpl.format(step)

    def _remove(self, path: str) -> None:
        """Delete a checkpoint of this run."""
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)
