# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The encoder under random masking: only the visible patches go through its blocks.

Shape letters: B images, L patches of an image, V visible ones of them, D embedding.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.init import normal_, xavier_uniform_

from sapiens_pretrain.models.sincos import sincos_pos_embed
from sapiens_pretrain.models.vit import SapiensViT
from sapiens_pretrain.registry import MODELS

# Glorot's initialisation of MAE; encoder and decoder share it.
MAE_INIT = (
    {'type': 'Xavier', 'layer': 'Linear', 'distribution': 'uniform'},
    {'type': 'Constant', 'layer': 'LayerNorm', 'val': 1.0, 'bias': 0.0},
)


def random_masking(x: Tensor, mask_ratio: float, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Keep the patches with the lowest noise.

    Args:
        x: Patch tokens (B, L, D).
        mask_ratio: Share of the patches that is dropped.
        noise: (B, L) numbers; their order decides.

    Returns:
        Visible tokens (B, V, D) in the order of their noise; mask (B, L), 1 where dropped; the
        indices (B, L) that bring "visible, then dropped" back into image order.
    """
    length = x.shape[1]
    num_visible = int(length * (1 - mask_ratio))
    shuffle = noise.argsort(dim=1)
    restore = shuffle.argsort(dim=1)
    keep = shuffle[:, :num_visible]
    visible = x.gather(1, keep[..., None].expand(-1, -1, x.shape[2]))
    mask = (restore >= num_visible).to(noise.dtype)
    return visible, mask, restore


@MODELS.register_module()
class MaskedSapiensViT(SapiensViT):
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

    @property
    def mask_ratio(self) -> float:
        """Share of the patches that is hidden.

        Raises:
            ValueError: Set to one that hides nothing, or leaves no patch.
        """
        return self._mask_ratio

    @mask_ratio.setter
    def mask_ratio(self, ratio: float) -> None:
        num_patches = self.grid[0] * self.grid[1]
        if not 0 < int(num_patches * (1 - ratio)) < num_patches:
            raise ValueError(
                f'mask_ratio {ratio} of {num_patches} patches must hide some and leave at least '
                'one; the published models use 0.75'
            )
        self._mask_ratio = ratio

    def init_weights(self) -> None:
        """Initialise as MAE does, or load the checkpoint that ``init_cfg`` names."""
        super().init_weights()
        if isinstance(self.init_cfg, dict) and self.init_cfg.get('type') == 'Pretrained':
            return
        self.pos_embed.data.copy_(sincos_pos_embed(self.grid, self.embed_dims))
        weight = self.patch_embed.projection.weight.data
        xavier_uniform_(weight.flatten(1))  # a view: the patch convolution is a linear layer
        normal_(self.cls_token, std=0.02)

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
