# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Softmax attention on PyTorch's fused kernels (SDPA), for full and for shared key-value heads.

Shape letters: B images, N tokens, h query heads, k key-value heads, d channels of a head.
"""

from itertools import product

import torch
import torch.nn.functional as F
from packaging.version import Version
from torch import Tensor

_TORCH = Version(torch.__version__).release
_SCORES = 3 << 19
"""Scores (queries times keys) that are made at a time on a CPU."""
_HAS_GROUPS = _TORCH >= (2, 5)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of queries (B, h, N, d) on keys and values (B, k, N, d).

    Query head i reads key-value head i // (h / k). CUDA's half-precision kernels read shared heads in
    place; the others would fall back to the slow composite and get copies instead.
    """
    if q.device.type == 'cpu' and q.requires_grad and _cpu_autocast():
        # In training, PyTorch's attention on CPUs is three times as fast in float32 as in bfloat16.
        with torch.autocast('cpu', enabled=False):
            return attend(q.float(), k.float(), v.float())
    groups = q.shape[1] // k.shape[1]
    if groups > 1:
        if _HAS_GROUPS and q.is_cuda and q.dtype in (torch.float16, torch.bfloat16):
            return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        k, v = (x[:, :, None].expand(-1, -1, groups, -1, -1).flatten(1, 2) for x in (k, v))
    if q.device.type == 'cpu' and q.dtype == torch.bfloat16 and _runs_eagerly(q):
        return _attend_in_parts(q, k, v)
    return F.scaled_dot_product_attention(q, k, v)


def _runs_eagerly(q: Tensor) -> bool:
    """Whether neither gradients nor a compiler (which would unroll loops) follow what is done."""
    return not q.requires_grad and not (_TORCH >= (2, 3) and torch.compiler.is_compiling())


def _attend_in_parts(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention in bfloat16 on a CPU: some queries of a head at a time, or some images where their scores are few.

    The scores of a part fit into the cache, and the matrix products run at the full speed of bfloat16, which those
    inside PyTorch's kernel do not without AMX: 2.6 times as fast for 3072 tokens, twice as fast for 192.
    """
    batch, heads, count, width = q.shape
    parts: list[tuple[int | slice, ...]]
    if images := _SCORES // (heads * count * k.shape[2]):
        # Products of single heads would be so small that the threads wait for each other at every one.
        parts = [(slice(start, start + images),) for start in range(0, batch, images)]
    else:
        rows = max(1, _SCORES // k.shape[2])
        queries = [slice(start, start + rows) for start in range(0, count, rows)]
        parts = list(product(range(batch), range(heads), queries))
    output = q.new_empty(batch, count, heads, width).transpose(1, 2)
    with torch.autocast('cpu', enabled=False):
        q = q * width**-0.5
        for part in parts:
            keys, values = k[part[:2]], v[part[:2]]
            output[part] = torch.softmax(q[part] @ keys.mT, -1) @ values
    return output


def _cpu_autocast() -> bool:
    """Whether autocast is on for CPUs; the function that takes a device is younger than torch 2.1."""
    if _TORCH >= (2, 4):
        return torch.is_autocast_enabled('cpu')
    return torch.is_autocast_cpu_enabled()
