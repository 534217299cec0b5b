# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Softmax attention on PyTorch's fused kernels (SDPA), for full and for shared key-value heads.

Shape letters: B images, N tokens, h query heads, k key-value heads, d channels of a head.
"""

import torch
import torch.nn.functional as F
from packaging.version import Version
from torch import Tensor

_TORCH = Version(torch.__version__).release
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
    if groups == 1:
        return F.scaled_dot_product_attention(q, k, v)
    if _HAS_GROUPS and q.is_cuda and q.dtype in (torch.float16, torch.bfloat16):
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    k, v = (x[:, :, None].expand(-1, -1, groups, -1, -1).flatten(1, 2) for x in (k, v))
    return F.scaled_dot_product_attention(q, k, v)


def _cpu_autocast() -> bool:
    """Whether autocast is on for CPUs; the function that takes a device is younger than torch 2.1."""
    if _TORCH >= (2, 4):
        return torch.is_autocast_enabled('cpu')
    return torch.is_autocast_cpu_enabled()
