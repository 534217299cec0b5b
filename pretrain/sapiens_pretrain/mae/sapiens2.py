# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2ViT under random masking: only the visible places go through its blocks.

Shape letters: B images, L places of an image (patches, or windows of the 4K encoder), V visible ones of
them, P prefix tokens, D embedding, d channels of a head.
"""

from typing import Any

import torch
from torch import Tensor

from sapiens_common.checkpoint import find_pretrained
from sapiens_pretrain.models.rope import Tables
from sapiens_pretrain.models.sapiens2 import Sapiens2ViT
from sapiens_pretrain.registry import MODELS

from .masking import MAE_INIT, MaskRatio, init_embedding, random_masking


@MODELS.register_module()
class MaskedSapiens2ViT(MaskRatio, Sapiens2ViT):
    """``Sapiens2ViT`` for masked pretraining: backbone of ``mmpretrain.MAE``.

    Sapiens2's own pretraining was not released; this is the objective of the first generation on the
    encoder of the second. Visible patches keep the rotary angles of their places. The decoder receives the
    class token and the patches; the registers end here. With a tokenizer whole windows are hidden,
    so that decoder and head have windows for patches (``patch_size=64`` for the 4K encoder).

    Args:
        mask_ratio: Share of the places that is hidden, in (0, 1).
        **kwargs: Arguments of :class:`Sapiens2ViT`.

    Raises:
        ValueError: A mask ratio that hides nothing, or leaves nothing.

    References:
        He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022.
    """

    def __init__(self, mask_ratio: float = 0.75, out_type: str = 'raw', **kwargs: Any) -> None:
        kwargs.setdefault('init_cfg', [dict(step) for step in MAE_INIT])
        super().__init__(out_type=out_type, with_cls_token=True, **kwargs)
        self.mask_ratio = mask_ratio

    def init_weights(self) -> None:
        """Initialise as MAE does, or load the checkpoint that ``init_cfg`` names."""
        super().init_weights()
        if find_pretrained(self.init_cfg):
            return
        init_embedding(self.patch_embed, self.cls_token)

    def forward(
        self, x: Tensor, mask: bool | None = True, noise: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Encode normalised RGB images (B, 3, H, W).

        Args:
            x: The images.
            mask: Whether to mask. If not, this is the plain encoder (mmpretrain asks so with None).
            noise: (B, L) numbers whose order chooses the visible places; drawn if None.

        Returns:
            With masking: latent (B, 1 + V, D), mask (B, L) with 1 where hidden, and the indices
            (B, L) that restore the order. Without: what ``Sapiens2ViT`` returns.
        """
        if not mask:
            return super().forward(x)
        x, grid = self.cut(x)
        if noise is None:
            noise = torch.rand(x.shape[:2], device=x.device)
        shape = x.shape[2:]
        x, hidden, restore = random_masking(x.flatten(2), self.mask_ratio, noise)
        rope = self._visible(self.positions(grid), restore, x.shape[1])
        x = self.prepend_tokens(self.read(x.unflatten(2, shape)))
        for index in range(self.num_layers):
            x = self.run_block(index, x, rope)
        return torch.cat([x[:, :1], x[:, self.num_extra_tokens :]], dim=1), hidden, restore

    def _visible(self, tables: Tables, restore: Tensor, count: int) -> Tables:
        """Rotary tables (B, 1, P + V, d) of the prefix and of each image's visible places."""
        keep = restore.argsort(dim=1)[:, :count] + self.num_extra_tokens
        prefix = torch.arange(self.num_extra_tokens, device=keep.device).expand(len(keep), -1)
        rows = torch.cat([prefix, keep], dim=1)
        cos, sin = (table[rows][:, None] for table in tables)
        return cos, sin
