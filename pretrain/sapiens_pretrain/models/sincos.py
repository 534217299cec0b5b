# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The fixed two-dimensional sine-cosine position table of MAE."""

import torch
from torch import Tensor


def sincos_pos_embed(
    grid: tuple[int, int], dims: int, num_extra_tokens: int = 1, temperature: float = 10000.0
) -> Tensor:
    """Build a position table.

    Each token's row is sin(a), cos(a), sin(b), cos(b), a quarter of the width each. As in upstream's
    table (and so in the published weights), a is the index along the slow axis of the token order,
    the row, and b the column; upstream's names for them are w and h. On square grids the result
    equals upstream's, which is only defined there.

    Args:
        grid: (h, w) patches; tokens run row by row.
        dims: Width of the table, divisible by 4.
        num_extra_tokens: Leading rows of zeros, for the class token.
        temperature: Ratio between the longest and the shortest wavelength.

    Returns:
        Table (1, num_extra_tokens + h * w, dims), float32.

    Raises:
        ValueError: The width is not divisible by 4.

    References:
        Chen et al., "An Empirical Study of Training Self-Supervised Vision Transformers", ICCV 2021.
    """
    if dims % 4:
        raise ValueError(f'a 2-D sine-cosine table needs a width divisible by 4, got {dims}')
    omega = temperature ** -(torch.arange(dims // 4, dtype=torch.float64) / (dims // 4))
    axes = [torch.arange(side, dtype=torch.float64) for side in grid]
    parts = []
    for position in torch.meshgrid(*axes, indexing='ij'):
        angle = position.flatten()[:, None] * omega  # (h * w, dims / 4), radians
        parts += [angle.sin(), angle.cos()]
    table = torch.cat([torch.zeros(num_extra_tokens, dims), torch.cat(parts, dim=1)])
    return table.float()[None]
