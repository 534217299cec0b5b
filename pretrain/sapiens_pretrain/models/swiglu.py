# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The block of Sapiens2: grouped-query attention with normed queries and keys, and a gated feed-forward.

Shape letters: B images, N tokens, D embedding, h query heads, k key-value heads, d = D / h.

References:
    Ainslie et al., "GQA", EMNLP 2023 (grouped queries).
    Dehghani et al., "Scaling Vision Transformers to 22 Billion Parameters", ICML 2023 (normed
    queries and keys).
    Shazeer, "GLU Variants Improve Transformer", 2020 (SwiGLU).
    Touvron et al., "Going Deeper with Image Transformers", ICCV 2021 (layer scale).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sapiens_common.models.rms_norm import RMSNorm

from .attention import attend
from .rope import Tables, rotate

EPS = 1e-6


class LayerScale(nn.Module):
    """A learned factor per channel."""

    def __init__(self, dims: int, initial: float) -> None:
        super().__init__()
        self.initial = initial
        self.weight = nn.Parameter(torch.empty(dims))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every factor to its initial value."""
        nn.init.constant_(self.weight, self.initial)

    def forward(self, x: Tensor) -> Tensor:
        """Scale x (..., D)."""
        return x * self.weight


class GroupedQueryAttention(nn.Module):
    """Self-attention in which several query heads may share a key-value head.

    Args:
        dims: D.
        num_heads: Query heads (h).
        num_kv_heads: Key-value heads (k).
        qk_norm: Whether queries and keys are normed per head (RMS norm).
        layer_scale: Initial factor of the output; 0 leaves the layer scale out.

    Raises:
        ValueError: The heads do not divide the width or each other.
    """

    def __init__(
        self, dims: int, num_heads: int, num_kv_heads: int, qk_norm: bool, layer_scale: float
    ) -> None:
        super().__init__()
        if dims % num_heads or num_kv_heads < 1 or num_heads % num_kv_heads:
            raise ValueError(
                f'{num_heads} query heads and {num_kv_heads} key-value heads do not divide width {dims} '
                'and each other'
            )
        self.head_dim = dims // num_heads
        self.wq = nn.Linear(dims, dims)
        self.wk = nn.Linear(dims, num_kv_heads * self.head_dim)
        self.wv = nn.Linear(dims, num_kv_heads * self.head_dim)
        self.q_norm = RMSNorm(self.head_dim, eps=EPS) if qk_norm else nn.Identity()
        self.k_norm = RMSNorm(self.head_dim, eps=EPS) if qk_norm else nn.Identity()
        self.proj = nn.Linear(dims, dims)
        self.gamma = LayerScale(dims, layer_scale) if layer_scale else nn.Identity()

    def _heads(self, x: Tensor) -> Tensor:
        """Split (B, N, heads * d) into (B, N, heads, d)."""
        return x.unflatten(2, (-1, self.head_dim))

    def forward(self, x: Tensor, rope: Tables | None = None) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D), rotating queries and keys by the tables if given."""
        v = self._heads(self.wv(x)).transpose(1, 2)
        q = self.q_norm(self._heads(self.wq(x))).transpose(1, 2)
        k = self.k_norm(self._heads(self.wk(x))).transpose(1, 2)
        if rope is not None:
            q, k = rotate(q, rope), rotate(k, rope)
        x = attend(q.to(v.dtype), k.to(v.dtype), v)
        return self.gamma(self.proj(x.transpose(1, 2).flatten(2)))


class SwiGLU(nn.Module):
    """Feed-forward layer whose hidden units are gated by the SiLU of others."""

    def __init__(self, dims: int, hidden: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(dims, 2 * hidden)
        self.w3 = nn.Linear(hidden, dims)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D)."""
        gate, hidden = self.w12(x).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * hidden)


class SwiGLUBlock(nn.Module):
    """Pre-norm transformer block: grouped-query attention, then SwiGLU.

    Args:
        dims: D.
        hidden: Hidden units of the feed-forward layer.
        num_heads, num_kv_heads, qk_norm, layer_scale: Of :class:`GroupedQueryAttention`.
    """

    def __init__(
        self,
        dims: int,
        hidden: int,
        num_heads: int,
        num_kv_heads: int,
        qk_norm: bool,
        layer_scale: float,
    ) -> None:
        super().__init__()
        self.ln1 = RMSNorm(dims, eps=EPS)
        self.attn = GroupedQueryAttention(dims, num_heads, num_kv_heads, qk_norm, layer_scale)
        self.ln2 = RMSNorm(dims, eps=EPS)
        self.ffn = SwiGLU(dims, hidden)

    def forward(self, x: Tensor, rope: Tables | None = None) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D)."""
        x = x + self.attn(self.ln1(x), rope)
        return x + self.ffn(self.ln2(x))
