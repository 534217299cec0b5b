# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""mmengine's checkpoint hook, reordered so that no moment leaves fewer checkpoints than before."""

from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from sapiens_common.files.atomic import write_text_atomically

from .fit import check_save_best
from .registry import HOOKS


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

    def before_train(self, runner: Runner) -> None:
        """Check ``save_best`` before the first epoch, then as upstream."""
        if runner.val_loop is not None:
            check_save_best(self.save_best, list(runner.val_loop.evaluator.metrics))
        super().before_train(runner)

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
        paths = self._best_paths()
        info = runner.message_hub.runtime_info
        recorded = {key: info.get(key) for key in info if key.startswith('best_')}
        # Upstream removes what these name before it writes.
        self._set_best_paths(dict.fromkeys(paths))
        error: OSError | None = None
        try:
            super()._save_best_checkpoint(runner, metrics)
        except OSError as caught:
            error = caught
        # Only the main process writes; all must go on with the same best score.
        failed = [error is not None]
        broadcast_object_list(failed)
        if failed[0]:
            for key in [key for key in info if key.startswith('best_')]:
                info.pop(key)
            info.update(recorded)
            self._set_best_paths(paths)
            if error is not None:
                if runner.iter >= runner.max_iters:
                    raise error
                runner.logger.error(f'best checkpoint not saved: {error}. Training goes on')
            return
        now = {key: path or paths[key] for key, path in self._best_paths().items()}
        self._set_best_paths(now)
        for path in paths.values():
            if path and path not in now.values():
                self._remove(path)

    def _best_paths(self) -> dict[str, str | None]:
        """Best checkpoint by metric; upstream has another attribute where there is one metric."""
        if 'best_ckpt_path' in vars(self):
            return {'': self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best_paths(self, paths: dict[str, str | None]) -> None:
        if 'best_ckpt_path' in vars(self):
            self.best_ckpt_path = paths['']
        else:
            self.best_ckpt_path_dict = paths

    def _name(self, step: int) -> str:
        """File name of the checkpoint with a number."""
        return self.filename_tmpl.format(step)

    def _remove(self, path: str) -> None:
        """Delete a checkpoint of this run."""
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)
