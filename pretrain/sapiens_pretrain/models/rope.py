# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Rotary position embedding of a token grid, to the bit as Sapiens2 was trained with.

References:
    Su et al., "RoFormer", Neurocomputing 2024 (rotary embedding).
    Simeoni et al., "DINOv3", 2025 (its form for images: axial, coordinates in [-1, 1]).
"""

from math import pi
from typing import Any

import torch
from torch import Tensor, nn

from sapiens_common.compat import add_load_hook

DTYPES = {'bfloat16': torch.bfloat16, 'float32': torch.float32}
COORDS = ('separate', 'min', 'max')
_MOST_GRIDS = 32  # tables kept; images of ever new sizes must not fill the memory

Tables = tuple[Tensor, Tensor]


class GridRotaryEmbedding(nn.Module):
    """Tables of cosines and sines for every patch of a grid, cached per grid.

    A head's d channels are d / 4 row angles, then d / 4 column angles, and the same again; an angle is
    2 pi c / period with c the patch centre's coordinate in [-1, 1].

    The released models compute all of this in bfloat16, rounding after every step, also where the rest
    is float32; their weights were trained with those rounded tables, so they are the default. The
    buffer ``periods`` is part of a checkpoint and is stored in float32 whatever the model is cast to. A
    checkpoint without it (transformers writes none) leaves the computed periods in place.

    Args:
        head_dim: Channels of a head (d), a multiple of 4.
        base: The periods are base^(2j / (d / 2)), j = 0 .. d / 4 - 1.
        periods: (shortest, longest) period instead of ``base``; those between are spaced evenly in
            their logarithm.
        coords: ``separate`` divides rows by the number of rows and columns by that of columns;
            ``min`` and ``max`` divide both by the smaller or larger of the two.
        dtype: ``bfloat16`` (as released) or ``float32`` (as transformers computes it).

    Raises:
        ValueError: A head that is not a multiple of 4, or an unknown ``coords`` or ``dtype``.
    """

    periods: Tensor

    def __init__(
        self,
        head_dim: int,
        base: float = 100.0,
        periods: tuple[float, float] | None = None,
        coords: str = 'separate',
        dtype: str = 'bfloat16',
    ) -> None:
        super().__init__()
        if head_dim % 4:
            raise ValueError(f'rotary embedding needs heads of a multiple of 4, got {head_dim}')
        if coords not in COORDS:
            raise ValueError(f'rope_coords {coords!r} is not one of {COORDS}')
        if dtype not in DTYPES:
            raise ValueError(f'rope_dtype {dtype!r} is not one of {tuple(DTYPES)}')
        self.head_dim = head_dim
        self.base = base
        self.period_range = periods
        self.coords = coords
        self.dtype = DTYPES[dtype]
        self._cache: dict[tuple, Tables] = {}
        self.register_buffer('periods', self.initial_periods())
        add_load_hook(self, _before_load)

    def initial_periods(self) -> Tensor:
        """The d / 4 periods that the arguments ask for, float32 (with ``bfloat16``: rounded)."""
        count = self.head_dim // 4
        if self.period_range is None:
            steps = torch.arange(count, dtype=self.dtype)
            found = self.base ** (2 * steps / (self.head_dim // 2))
        else:
            shortest, longest = self.period_range
            ratio = longest / shortest
            found = ratio ** torch.linspace(0, 1, count, dtype=self.dtype) / ratio * longest
        return found.float()

    def reset_parameters(self) -> None:
        """Set ``periods`` to their initial values."""
        self.periods.copy_(self.initial_periods())
        self._cache.clear()

    def set_dtype(self, dtype: str) -> None:
        """Compute tables in another dtype from now on; periods that are no checkpoint's follow.

        Args:
            dtype: A key of :data:`DTYPES`.
        """
        own = torch.equal(self.periods.cpu(), self.initial_periods())
        self.dtype = DTYPES[dtype]
        if own:
            self.reset_parameters()
        self._cache.clear()

    def _apply(self, fn: Any, recurse: bool = True) -> 'GridRotaryEmbedding':
        """Move, but do not cast: ``model.half()`` must not change the angles."""
        before = self.periods
        super()._apply(fn, recurse)
        if self.periods.dtype != before.dtype:
            self.periods = before.to(self.periods.device)
        self._cache.clear()
        return self

    def forward(self, grid: tuple[int, int], num_prefix: int = 0) -> Tables:
        """Cosines and sines (num_prefix + rows * columns, d) of a (rows, columns) grid, in ``dtype``.

        Prefix tokens come first and are not rotated: cosine 1, sine 0.
        """
        if _is_exporting() or torch.jit.is_tracing():
            return self.tables(grid, num_prefix)
        return self._cached(grid, num_prefix)

    # A compiler would fuse the steps and leave the roundings between them out.
    @torch.compiler.disable
    def _cached(self, grid: tuple[int, int], num_prefix: int) -> Tables:
        key = (grid, num_prefix, self.periods.device)
        if key not in self._cache:
            if len(self._cache) >= _MOST_GRIDS:
                self._cache.clear()
            # A table made in inference mode could not be used in training afterwards.
            with torch.inference_mode(False):
                self._cache[key] = self.tables(grid, num_prefix)
        return self._cache[key]

    @torch.no_grad()
    def tables(self, grid: tuple[int, int], num_prefix: int = 0) -> Tables:
        """Compute what :meth:`forward` returns, without the cache."""
        options: dict[str, Any] = {'dtype': self.dtype, 'device': self.periods.device}
        rows, columns = grid
        divisors = {'separate': grid, 'min': (min(grid),) * 2, 'max': (max(grid),) * 2}
        sides = (rows, columns)
        centres = [
            torch.arange(0.5, side, **options) / divisor
            for side, divisor in zip(sides, divisors[self.coords], strict=True)
        ]
        coords = torch.stack(torch.meshgrid(*centres, indexing='ij'), dim=-1)  # (h, w, 2)
        coords = 2 * coords.flatten(0, 1) - 1
        angles = 2 * pi * coords[:, :, None] / self.periods.to(self.dtype)
        angles = angles.flatten(1).tile(2)
        prefix = torch.ones(num_prefix, self.head_dim, **options)
        cos = torch.cat([prefix, angles.cos()])
        return cos, torch.cat([torch.zeros_like(prefix), angles.sin()])


def rotate(x: Tensor, tables: Tables) -> Tensor:
    """Rotate channels c and c + d / 2 of x (B, heads, N, d) by each token's angles.

    The result has the tables' dtype. With bfloat16 tables every token is rounded to it, those that
    are not rotated too.

    Args:
        x: Queries or keys.
        tables: Cosines and sines, (N, d) or (B, 1, N, d).
    """
    cos, sin = tables
    dtype = cos.dtype
    x = x.to(dtype)
    if _is_exporting():
        # Few runtimes multiply in bfloat16; float32 rounded after each step gives the same bits.
        cos, sin, x = cos.float(), sin.float(), x.float()
        products = x * cos, _turned(x) * sin
        first, second = (product.to(dtype).float() for product in products)
        return (first + second).to(dtype)
    return x * cos + _turned(x) * sin


def _turned(x: Tensor) -> Tensor:
    """The halves (a, b) of the last dimension as (-b, a)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


def _before_load(
    module: GridRotaryEmbedding, state_dict: dict[str, Tensor], prefix: str, *_: Any
) -> None:
    """Fill in the periods that a checkpoint lacks, and forget tables made with others."""
    module._cache.clear()
    state_dict.setdefault(f'{prefix}periods', module.initial_periods())


def _is_exporting() -> bool:
    """Whether ``torch.export`` is at work; before torch 2.7 it does not tell."""
    is_exporting = getattr(torch.compiler, 'is_exporting', None)
    return is_exporting is not None and is_exporting()
