# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The Sapiens2 encoder: rotary positions, grouped queries, registers, gated feed-forward layers.

Shape letters: B images, N tokens (prefix tokens included), D embedding, H x W image, h x w token grid.

References:
    Sapiens2, Meta 2026 (sizes and layout; the numbers here were counted on the released classes).
    Darcet et al., "Vision Transformers Need Registers", ICLR 2024.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.init import trunc_normal_

from sapiens_pretrain.registry import MODELS

from .base import Grid, PatchEmbed, PlainViT, find_arch
from .rope import GridRotaryEmbedding, Tables
from .swiglu import EPS, LayerScale, RMSNorm, SwiGLUBlock
from .tokenizer import WindowTokenizer, to_windows

ARCH_KEYS = (
    'embed_dims',
    'num_layers',
    'num_heads',
    'feedforward_channels',
    'num_tokenizer_layers',
)


def _arch(
    embed_dims: int, num_layers: int, num_heads: int, num_tokenizer_layers: int, hidden: int = 0
) -> dict[str, int]:
    """One row of the size table; released sizes have a feed-forward ratio of 4."""
    numbers = (embed_dims, num_layers, num_heads, hidden or 4 * embed_dims, num_tokenizer_layers)
    return dict(zip(ARCH_KEYS, numbers, strict=True))


# tiny is ours: with 512 gated units its feed-forward layers have as many weights as those of v1's tiny.
SAPIENS2_ZOO = {
    'tiny': _arch(192, 6, 3, 1, hidden=512),
    '0.1b': _arch(768, 12, 12, 2),
    '0.4b': _arch(1024, 24, 16, 2),
    '0.8b': _arch(1280, 32, 16, 3),
    '1b': _arch(1536, 40, 24, 4),
    '5b': _arch(2432, 56, 32, 6),
}
FULL_HEADS = 8
"""Blocks at either end in which every query head has keys and values of its own."""
TRUNC_NORMAL = {'type': 'TruncNormal', 'layer': ['Linear', 'Conv2d'], 'std': 0.02}
_OVERRIDES = {'num_kv_heads', 'qk_norm', 'layer_scale', 'hidden'}


def resolve_arch(arch: str | dict[str, int]) -> dict[str, int]:
    """Numbers of an architecture given by name (with or without ``sapiens2_``) or as a dict.

    Raises:
        ValueError: Unknown name, or a dict without one of :data:`ARCH_KEYS`.
    """
    return find_arch(arch, SAPIENS2_ZOO, 'sapiens2_', ARCH_KEYS)


@MODELS.register_module()
class Sapiens2ViT(PlainViT):
    """The Sapiens2 encoder, usable as backbone of any MMLab model by its prefixed type.

    Parameter names equal those of the published checkpoints. There is no position table: any image of
    whole patches is taken as it is. The first and last eight blocks have full heads, those between
    half as many key-value heads as query heads.

    Args:
        arch: ``tiny``, ``0.1b``, ``0.4b``, ``0.8b``, ``1b``, ``5b`` (a ``sapiens2_`` prefix is accepted) or
            a dict with :data:`ARCH_KEYS`.
        img_size: (height, width) in pixels that recipes are written for; other inputs are accepted.
        patch_size: Patch side in pixels.
        in_channels: Channels of the image.
        out_indices: Blocks whose outputs are returned; -1 is the last. Only the last is normed.
        out_type: ``featmap`` (B, D, h, w), ``avg_featmap`` (B, D), ``cls_token`` (B, D), or ``raw``
            (B, N, D): class token, registers, patches.
        with_cls_token: Whether there is a class token (the published encoders have one).
        num_registers: Learned tokens beside the patches that hold no place (published: 8).
        final_norm: Whether the output of the last block is normed.
        qk_norm: Whether queries and keys are normed.
        layer_scale: Initial factor of the attention branch; 0 leaves it out.
        layer_cfgs: Changes of single blocks, one dict for all or one for each, with the keys
            ``num_kv_heads``, ``qk_norm``, ``layer_scale`` and ``hidden``.
        rope_base, rope_periods, rope_coords, rope_dtype: Arguments of
            :class:`~sapiens_pretrain.models.rope.GridRotaryEmbedding`. ``rope_dtype`` is ``bfloat16``
            as the published models have it; ``float32`` gives what transformers computes.
        tokenizer_window: None, or the side in patches of the windows that become one token each (the
            4K encoder has 4; its images of 4096 x 3072 become 64 x 48 tokens).
        frozen_stages: -1 trains everything; n >= 0 freezes the stem and the first n blocks, and
            the final norm too when n is the number of blocks.
        with_cp: Whether each block recomputes its activations in the backward pass (less memory).
        tuning: None trains as ``frozen_stages`` says; ``dict(method='lora', ...)`` a small part that checkpoints
            then hold alone, see :func:`~sapiens_pretrain.models.tuning.tune`.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` loads the encoder of a file, published name or
            URL strictly and reports it; alone or in a list, as mmengine accepts it.

    Raises:
        ValueError: Unknown arch, out_type or override, an image size that is not whole patches, an index
            or stage outside the blocks.
    """

    BLOCKS = 'blocks'
    STEM = ('cls_token', 'storage_tokens', 'patch_embed', 'tokenizer')

    def __init__(
        self,
        arch: str | dict[str, int] = '0.4b',
        img_size: int | tuple[int, int] = (1024, 768),
        patch_size: int = 16,
        in_channels: int = 3,
        out_indices: int | Sequence[int] = -1,
        out_type: str = 'featmap',
        with_cls_token: bool = True,
        num_registers: int = 8,
        final_norm: bool = True,
        qk_norm: bool = True,
        layer_scale: float = 1e-4,
        layer_cfgs: dict[str, Any] | Sequence[dict[str, Any]] = (),
        rope_base: float = 100.0,
        rope_periods: tuple[float, float] | None = None,
        rope_coords: str = 'separate',
        rope_dtype: str = 'bfloat16',
        tokenizer_window: int | None = None,
        frozen_stages: int = -1,
        with_cp: bool = False,
        tuning: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        settings = resolve_arch(arch)
        dims, num_layers = settings['embed_dims'], settings['num_layers']
        num_heads, hidden = settings['num_heads'], settings['feedforward_channels']
        super().__init__(
            dims=dims,
            num_layers=num_layers,
            img_size=img_size,
            patch_size=patch_size,
            unit=patch_size * (tokenizer_window or 1),
            num_prefix_tokens=int(with_cls_token) + num_registers,
            with_cls_token=with_cls_token,
            out_indices=out_indices,
            out_type=out_type,
            frozen_stages=frozen_stages,
            with_cp=with_cp,
            tuning=tuning,
            init_cfg=init_cfg or TRUNC_NORMAL,
        )
        self.patch_embed = PatchEmbed(in_channels, dims, patch_size)
        self.tokenizer_window = tokenizer_window
        if tokenizer_window:
            self.tokenizer = WindowTokenizer(
                dims, hidden, num_heads, settings['num_tokenizer_layers'], tokenizer_window
            )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dims)) if with_cls_token else None
        self.storage_tokens = (
            nn.Parameter(torch.zeros(1, num_registers, dims)) if num_registers else None
        )
        self.rope_embed = GridRotaryEmbedding(
            dims // num_heads, rope_base, rope_periods, rope_coords, rope_dtype
        )
        self.blocks = nn.ModuleList(
            SwiGLUBlock(
                dims,
                **{
                    'hidden': hidden,
                    'num_heads': num_heads,
                    'num_kv_heads': kv_heads(index, num_layers, num_heads),
                    'qk_norm': qk_norm,
                    'layer_scale': layer_scale,
                    **changes,
                },
            )
            for index, changes in enumerate(_overrides(layer_cfgs, num_layers))
        )
        self.ln1 = RMSNorm(dims, eps=EPS) if final_norm else nn.Identity()
        self.finish()

    def init_weights(self) -> None:
        """Load the checkpoint that ``init_cfg`` names, or start anew (truncated normal, std 0.02)."""
        if self.load_pretrained():
            return
        super().init_weights()
        for name, parameter in self.named_parameters():
            if name.split('.')[-1] in ('cls_token', 'storage_tokens', 'local_pos_embed', 'w_cls'):
                trunc_normal_(parameter, std=0.02)
        for module in self.modules():
            if isinstance(module, RMSNorm | LayerScale | GridRotaryEmbedding):
                module.reset_parameters()

    def cut(self, x: Tensor) -> tuple[Tensor, Grid]:
        """Map images (B, C, H, W) to embedded patches (B, h * w, D), and the grid (h, w).

        With a tokenizer the grid is that of its windows, and the patches are (B, h * w, patches, D).

        Raises:
            ValueError: The images are not whole patches (and windows).
        """
        self.check_images(x)
        x, grid = self.patch_embed(x)
        side = self.tokenizer_window
        if not side:
            return x, grid
        return to_windows(x, grid, side), (grid[0] // side, grid[1] // side)

    def read(self, patches: Tensor) -> Tensor:
        """Tokens (B, n, D) of n places, whose patches are as :meth:`cut` gives them."""
        if not self.tokenizer_window:
            return patches
        return self.tokenizer(patches, self.recompute)

    def prepend_tokens(self, x: Tensor) -> Tensor:
        """Prepend class token and registers, as far as the model has them, to tokens (B, N, D)."""
        prefix = [t for t in (self.cls_token, self.storage_tokens) if t is not None]
        return torch.cat([*(token.expand(x.shape[0], -1, -1) for token in prefix), x], dim=1)

    def positions(self, grid: Grid) -> Tables:
        """Rotary tables of all tokens, those of the prefix included."""
        return self.rope_embed(grid, self.num_extra_tokens)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Encode normalised RGB images (B, 3, H, W); one output per ``out_indices`` (see out_type)."""
        patches, grid = self.cut(x)
        x = self.prepend_tokens(self.read(patches))
        rope = self.positions(grid)
        outputs = []
        for index in range(self.num_layers):
            x = self.run_block(index, x, rope)
            if index in self.out_indices:
                outputs.append(self.format(x, grid))
        return tuple(outputs)


def kv_heads(index: int, num_layers: int, num_heads: int) -> int:
    """Key-value heads of a block."""
    full = index < FULL_HEADS or index >= num_layers - FULL_HEADS
    return num_heads if full else num_heads // 2


def _overrides(
    changes: dict[str, Any] | Sequence[dict[str, Any]], num_layers: int
) -> list[dict[str, Any]]:
    """``layer_cfgs`` as one checked dict per block."""
    if isinstance(changes, dict):
        changes = [changes] * num_layers
    found = [dict(change) for change in changes] or [{} for _ in range(num_layers)]
    if len(found) != num_layers:
        raise ValueError(f'layer_cfgs has {len(found)} entries for {num_layers} blocks')
    for index, change in enumerate(found):
        if unknown := set(change) - _OVERRIDES:
            raise ValueError(
                f'layer_cfgs of block {index}: {sorted(unknown)} are not among {sorted(_OVERRIDES)}'
            )
    return found
