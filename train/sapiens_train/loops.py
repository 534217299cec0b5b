# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Training loops that continue at the very iteration a checkpoint was written after.

mmengine's epoch loop starts a half-done epoch anew, and its iteration loop reads all consumed
samples again. Both leave the random generators where they happen to be.
"""

from collections import deque
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.logging import MMLogger
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from .data import BadSample, ResumableDataLoader
from .registry import LOOPS
from .seeding import ITERATION, derive_seed, run_seed, seed_everything


class _ResumableMixin:
    """What both loops share: the loader, the seed of an iteration, reports, and progress."""

    runner: Runner
    _iter: int
    recent: deque[list[int]]

    @staticmethod
    def build_loader(runner: Runner, dataloader: DataLoader | dict) -> DataLoader:
        """Build the config's loader."""
        if not isinstance(dataloader, dict):
            return dataloader
        return runner.build_dataloader(dataloader, seed=run_seed(runner), diff_rank_seed=False)

    @property
    def dataloader(self) -> ResumableDataLoader:
        """The loader, made resumable; also one by which a hook such as ``YOLOXPoseModeSwitchHook`` replaces it."""
        return self._dataloader

    @dataloader.setter
    def dataloader(self, loader: DataLoader) -> None:
        share = self.runner.cfg.get('bad_samples', {}).get('max_share', 0.01)
        self._dataloader = ResumableDataLoader(loader, run_seed(self.runner), share)

    def watch_samples(self) -> None:
        """Let the optimizer wrapper name the samples of a step that it skips."""
        wrapper = self.runner.optim_wrapper
        self.recent = deque(maxlen=getattr(wrapper, '_accumulative_counts', 1))
        if hasattr(wrapper, 'describe_batch'):
            wrapper.describe_batch = lambda: [
                name for indices in self.recent for name in self.dataloader.describe(indices)
            ]

    def before_iteration(self) -> None:
        """Note the batch's samples, and seed what the model draws: by iteration and rank."""
        self.recent.append(self.dataloader.indices)
        key = (ITERATION, run_seed(self.runner), self._iter, self.runner.rank)
        seed_everything(derive_seed(*key))

    def samples_per_iteration(self) -> int:
        """Samples that one iteration consumes on all ranks together."""
        return self.dataloader.batch_sampler.batch_size * self.runner.world_size

    def report_bad_samples(self) -> None:
        """Log the broken samples that any rank met so far, by name.

        Raises:
            ValueError: Together they are more than the allowed share.
        """
        bad: dict[int, BadSample] = {}
        for part in all_gather_object(self.dataloader.bad):
            bad.update(part)
        if bad:
            listed = '\n'.join(f'  {item.name}: {item.error}' for item in bad.values())
            MMLogger.get_current_instance().warning(
                f'{len(bad)} of {len(self.dataloader.dataset)} training samples could not be read '
                f'and were replaced so far:\n{listed}'
            )
        self.dataloader.check_share(bad)


@LOOPS.register_module()
class ResumableEpochLoop(_ResumableMixin, EpochBasedTrainLoop):
    """mmengine's epoch loop that continues in the middle of an epoch.

    Arguments are those of ``EpochBasedTrainLoop``.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, *args: Any, **kwargs: Any):
        super().__init__(runner, self.build_loader(runner, dataloader), *args, **kwargs)
        self._epoch_start = 0  # value of _iter at which the current epoch began

    def progress(self, epoch: int, iteration: int) -> int:
        """Samples of the running epoch consumed when a checkpoint is written, for its ``meta``.

        Args:
            epoch: Epochs that the checkpoint counts as done.
            iteration: Iterations that it counts as done.
        """
        if epoch != self._epoch:
            return 0
        return (iteration - self._epoch_start) * self.samples_per_iteration()

    def restore(self, samples: int | None) -> None:
        """Go to where a checkpoint was written; ``_epoch`` and ``_iter`` are set already.

        Args:
            samples: What :meth:`progress` said. None for a checkpoint of another runner.
        """
        if samples is None:
            batches = self._iter - self._epoch * len(self.dataloader)
            if not 0 <= batches <= len(self.dataloader):
                self.runner.logger.warning(
                    f'iteration {self._iter} of the checkpoint does not lie in its epoch '
                    f'{self._epoch}: it was written with another batch size, number of processes '
                    'or data set. Continuing at the start of the epoch.'
                )
                batches = 0
        else:
            batches = min(samples // self.samples_per_iteration(), len(self.dataloader))
        self._epoch_start = self._iter - batches

    def run(self) -> nn.Module:
        """Train."""
        self.watch_samples()
        self.runner.call_hook('before_train')
        if self._iter > 0 and self._iter == self._epoch_start:
            # The checkpoint was written before the validation of its epoch.
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train for what is left of the epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self._iter - self._epoch_start
        self.dataloader.start_at(run_seed(self.runner), self._epoch, skip=done)
        if done < len(self.dataloader):
            for index, batch in enumerate(self.dataloader, start=done):
                self.before_iteration()
                self.run_iter(index, batch)
        self.report_bad_samples()
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self._epoch_start = self._iter

    def _validate_if_due(self) -> None:
        """Run the validation loop when the epoch that ended asks for it."""
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._epoch >= self.val_begin
            and (self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs)
        ):
            self.runner.val_loop.run()


@LOOPS.register_module()
class ResumableIterLoop(_ResumableMixin, IterBasedTrainLoop):
    """mmengine's iteration loop that continues without reading consumed samples again.

    Arguments are those of ``IterBasedTrainLoop``. A finite sampler's epochs follow each other
    without restarting the workers.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, *args: Any, **kwargs: Any):
        super().__init__(runner, self.build_loader(runner, dataloader), *args, **kwargs)
        self._skip = 0

    def progress(self, epoch: int, iteration: int) -> int:
        """Samples consumed when a checkpoint is written, for its ``meta``."""
        del epoch  # the whole run is one
        return (iteration - self._iter + self._skip) * self.samples_per_iteration()

    def restore(self, samples: int | None) -> None:
        """Go to where a checkpoint was written; see :meth:`ResumableEpochLoop.restore`."""
        self._skip = self._iter if samples is None else samples // self.samples_per_iteration()

    def run(self) -> nn.Module:
        """Train."""
        self.watch_samples()
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        if self._iter > 0:
            # The checkpoint was written before the validation of its iteration.
            self._validate_if_due()
        self.dataloader.start_at(run_seed(self.runner), 0, skip=self._skip, endless=True)
        batches = iter(self.dataloader)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            batch = next(batches)
            self.before_iteration()
            self.run_iter(batch)
            self._skip += 1
            if self._iter % len(self.dataloader) == 0 or self._iter == self._max_iters:
                self.report_bad_samples()
            self._validate_if_due()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _validate_if_due(self) -> None:
        """Run the validation loop when the iteration that ended asks for it."""
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._iter >= self.val_begin
            and (self._iter % self.val_interval == 0 or self._iter == self._max_iters)
        ):
            self.runner.val_loop.run()
