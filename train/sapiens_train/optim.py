# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Optimizer wrapper with mixed precision on any device and a guard against non-finite values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from sapiens_common.compat import grad_scaler

from .registry import OPTIM_WRAPPERS

_DTYPES = ('float32', 'bfloat16', 'float16')


@OPTIM_WRAPPERS.register_module()
class SapiensOptimWrapper(OptimWrapper):
    """mmengine's wrapper with autocast on CPU and GPU, and a non-finite guard.

    A loss or gradient that is NaN or infinite on any rank skips the step on every rank, is logged
    with the samples of the batch, and ends the run when it happens too often in a row. Gradients are
    never altered to hide it.

    Args:
        optimizer: The optimizer.
        dtype: ``float32`` (no autocast), ``bfloat16`` or ``float16``; the latter scales the loss, and
            a step lost to a scale that is too high counts as skipped like any other.
        loss_scale: Initial loss scale for ``float16``.
        max_skipped_steps: Skipped steps in a row that a run survives; one more stops it.
        accumulative_counts: Iterations per step.
        clip_grad: Arguments of ``clip_grad_norm_`` (or of ``clip_grad_value_`` with type='value').

    Raises:
        ValueError: Unknown dtype, or ``error_if_nonfinite`` in ``clip_grad``.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        dtype: str = 'float32',
        loss_scale: float = 2.0**16,
        max_skipped_steps: int = 10,
        accumulative_counts: int = 1,
        clip_grad: dict | None = None,
    ) -> None:
        if dtype not in _DTYPES:
            raise ValueError(f'optim_wrapper.dtype must be one of {_DTYPES}, got {dtype!r}')
        if clip_grad is not None and 'error_if_nonfinite' in clip_grad:
            raise ValueError(
                'clip_grad.error_if_nonfinite would raise before the non-finite guard can skip the '
                'step; leave it out, max_skipped_steps=1 stops at the second one'
            )
        # A copy: upstream takes the type out of it.
        clip_grad = dict(clip_grad) if clip_grad else None
        super().__init__(optimizer, accumulative_counts, clip_grad)
        self.cast_dtype = getattr(torch, dtype)
        self.max_skipped_steps = max_skipped_steps
        self.skipped_in_a_row = 0
        # The training loop says which samples the current step has seen.
        self.describe_batch: Callable[[], list[str]] | None = None
        self._bad_loss: Tensor | None = None
        device = optimizer.param_groups[0]['params'][0].device.type
        self.scaler = grad_scaler(device, loss_scale, dtype == 'float16')

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, and no gradient exchange in the inner iterations of an accumulation."""
        device = next(model.parameters()).device.type
        enabled = self.cast_dtype != torch.float32
        with (
            super().optim_context(model),
            torch.autocast(device, self.cast_dtype if enabled else None, enabled=enabled),
        ):
            yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Backward of the (scaled) loss; remembers whether the loss is finite."""
        bad = ~torch.isfinite(loss.detach())
        self._bad_loss = bad if self._bad_loss is None else self._bad_loss | bad
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Clip and step, or skip the step on every rank alike.

        Raises:
            FloatingPointError: More than ``max_skipped_steps`` steps in a row were skipped.
        """
        self.scaler.unscale_(self.optimizer)
        norm = self._clip_and_measure()
        if hasattr(norm, 'full_tensor'):  # sharded gradients: put the ranks' parts together
            norm = norm.full_tensor()
        bad_loss = self._bad_loss if self._bad_loss is not None else torch.zeros((), dtype=bool)
        self._bad_loss = None
        # Data parallelism averages gradients, so a bad one is bad everywhere; a bad loss need not be.
        local = torch.stack([bad_loss.to(norm.device).float(), (~torch.isfinite(norm)).float()])
        shared = local.clone()
        all_reduce(shared, op='max')
        any_bad, own_loss, norm_value = torch.stack([shared.max(), local[0], norm]).tolist()
        self.message_hub.update_scalar('train/grad_norm', norm_value)
        if any_bad:
            self.scaler.update()
            self._skip(bool(own_loss), norm_value)
            return
        self.skipped_in_a_row = 0
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def _clip_and_measure(self) -> Tensor:
        """Clip the gradients as configured.

        Returns:
            Norm of all gradients before clipping, a scalar.
        """
        parameters = [
            parameter
            for group in self.optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None
        ]
        if self.clip_grad_kwargs and self.grad_name == 'grad_norm':
            return self.clip_func(parameters, **self.clip_grad_kwargs)
        norm = clip_grad_norm_(parameters, float('inf'))  # measures, changes nothing
        if self.clip_grad_kwargs:
            self.clip_func(parameters, **self.clip_grad_kwargs)
        return norm

    def _skip(self, own_loss_is_bad: bool, norm: float) -> None:
        """Log a skipped step with its samples, and stop when there were too many.

        Raises:
            FloatingPointError: More than ``max_skipped_steps`` in a row.
        """
        self.skipped_in_a_row += 1
        names = self.describe_batch() if self.describe_batch is not None else []
        ranks = all_gather_object((own_loss_is_bad, names))
        culprits = [rank for rank, (bad, _) in enumerate(ranks) if bad]
        if culprits:
            cause = f'loss not finite on rank {", ".join(map(str, culprits))}'
        else:
            cause = f'gradient norm is {norm}'
            culprits = list(range(len(ranks)))
        samples = ', '.join(name for rank in culprits for name in ranks[rank][1])
        scale = f', loss scale now {self.scaler.get_scale():g}' if self.scaler.is_enabled() else ''
        message = (
            f'step skipped on every rank ({self.skipped_in_a_row} in a row): {cause}{scale}; '
            f'samples of the batch: {samples or "unknown"}'
        )
        MMLogger.get_current_instance().warning(message)
        if self.skipped_in_a_row > self.max_skipped_steps:
            raise FloatingPointError(
                f'{message}. More than max_skipped_steps={self.max_skipped_steps}: the run has '
                'diverged or its data is broken. Resume from an earlier checkpoint with a lower '
                'learning rate, or look at these samples'
            )

    def state_dict(self) -> dict:
        """State of the optimizer, the loss scale and the guard."""
        state = super().state_dict()
        state['skipped_in_a_row'] = self.skipped_in_a_row
        if self.scaler.is_enabled():
            state['loss_scaler'] = self.scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore what :meth:`state_dict` returned, or the state of one of mmengine's wrappers."""
        state = dict(state_dict)
        self.skipped_in_a_row = state.pop('skipped_in_a_row', 0)
        scaler = state.pop('loss_scaler', None)
        if scaler and self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)
        super().load_state_dict(state)
