# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""SapiensViT under random masking: only the visible patches go through its blocks.

Shape letters: B images, L patches of an image, V visible ones of them, D embedding.
"""

from typing import Any

import torch
from torch import Tensor

from sapiens_common.checkpoint import find_pretrained
from sapiens_pretrain.models.sincos import sincos_pos_embed
from sapiens_pretrain.models.vit import SapiensViT
from sapiens_pretrain.registry import MODELS

from .masking import MAE_INIT, MaskRatio, init_embedding, random_masking


@MODELS.register_module()
class MaskedSapiensViT(MaskRatio, SapiensViT):
    """``SapiensViT`` for masked pretraining: backbone of ``mmpretrain.MAE``.

    The position table is fixed (sine-cosine), the class token is always there.

    Args:
        mask_ratio: Share of the patches that is hidden, in (0, 1).
        **kwargs: Arguments of :class:`SapiensViT`; ``img_size`` is (height, width), any multiple
            of the patch size.

    Raises:
        ValueError: A mask ratio that hides nothing, or leaves no patch.

    References:
        He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022.
    """

    def __init__(
        self,
        mask_ratio: float = 0.75,
        img_size: int | tuple[int, int] = (1024, 1024),
        out_type: str = 'raw',
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault('init_cfg', [dict(step) for step in MAE_INIT])
        super().__init__(img_size=img_size, out_type=out_type, with_cls_token=True, **kwargs)
        self.pos_embed.requires_grad_(False)
        self.mask_ratio = mask_ratio

    def init_weights(self) -> None:
        """Initialise as MAE does, or load the checkpoint that ``init_cfg`` names."""
        super().init_weights()
        if find_pretrained(self.init_cfg):
            return
        self.pos_embed.data.copy_(sincos_pos_embed(self.grid, self.embed_dims))
        init_embedding(self.patch_embed, self.cls_token)

    def forward(
        self, x: Tensor, mask: bool | None = True, noise: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Encode normalised RGB images (B, 3, H, W).

        Args:
            x: The images.
            mask: Whether to mask. If not, this is the plain encoder (mmpretrain asks so with None).
            noise: (B, L) numbers whose order chooses the visible patches; drawn if None.

        Returns:
            With masking: latent (B, 1 + V, D), mask (B, L) with 1 where hidden, and the indices
            (B, L) that restore the order. Without: what ``SapiensViT`` returns.
        """
        if not mask:
            return super().forward(x)
        x, _ = self.embed(x)
        if noise is None:
            noise = torch.rand(x.shape[:2], device=x.device)
        x, hidden, restore = random_masking(x, self.mask_ratio, noise)
        x = self.prepend_cls_token(x)
        for index in range(self.num_layers):
            x = self.run_block(index, x)
        return x, hidden, restore
