# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The light decoder of MAE: hidden patches from the encoder's visible ones.

Shape letters: B images, L patches, V visible ones, D encoder width, E decoder width, P patch side.
"""

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.init import normal_
from torch.utils.checkpoint import checkpoint

from sapiens_pretrain.models.sincos import sincos_pos_embed
from sapiens_pretrain.models.vit import Block
from sapiens_pretrain.registry import MODELS

from .masking import MAE_INIT


@MODELS.register_module()
class MAEDecoder(BaseModule):
    """Transformer decoder, neck of ``mmpretrain.MAE``. Its size is the same for every encoder.

    Args:
        embed_dims: Width of the encoder (D).
        img_size: (height, width) of the images in pixels.
        patch_size: Patch side in pixels (P).
        in_channels: Channels of the images.
        decoder_embed_dims: Width (E).
        decoder_depth: Number of blocks.
        decoder_num_heads: Attention heads.
        mlp_ratio: Hidden width of the feed-forward layers in units of E.
        with_cp: Whether each block recomputes its activations in the backward pass.
        init_cfg: Initialisation; None is MAE's.

    Raises:
        ValueError: The image is not a whole number of patches.
    """

    def __init__(
        self,
        embed_dims: int,
        img_size: int | tuple[int, int] = (1024, 1024),
        patch_size: int = 16,
        in_channels: int = 3,
        decoder_embed_dims: int = 512,
        decoder_depth: int = 8,
        decoder_num_heads: int = 16,
        mlp_ratio: int = 4,
        with_cp: bool = False,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg or [dict(step) for step in MAE_INIT])
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        if height % patch_size or width % patch_size:
            raise ValueError(
                f'img_size {(height, width)} is not a multiple of patch_size {patch_size}'
            )
        self.grid = (height // patch_size, width // patch_size)
        self.num_patches = self.grid[0] * self.grid[1]
        self.with_cp = with_cp
        dims = decoder_embed_dims
        self.decoder_embed = nn.Linear(embed_dims, dims)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dims))
        self.decoder_pos_embed = nn.Parameter(
            torch.zeros(1, 1 + self.num_patches, dims), requires_grad=False
        )
        self.decoder_blocks = nn.ModuleList(
            Block(dims, mlp_ratio * dims, decoder_num_heads, qkv_bias=True, drop_path_rate=0.0)
            for _ in range(decoder_depth)
        )
        self.ln1 = nn.LayerNorm(dims, eps=1e-6)
        self.decoder_pred = nn.Linear(dims, patch_size**2 * in_channels)

    def init_weights(self) -> None:
        """Initialise as MAE does; the position table is fixed."""
        super().init_weights()
        table = sincos_pos_embed(self.grid, self.decoder_pos_embed.shape[2])
        self.decoder_pos_embed.data.copy_(table)
        normal_(self.mask_token, std=0.02)

    def forward(self, x: Tensor, ids_restore: Tensor) -> Tensor:
        """Predict every patch.

        Args:
            x: Class token and visible patches (B, 1 + V, D).
            ids_restore: (B, L) indices that bring "visible, then hidden" into image order.

        Returns:
            Pixels (B, L, P * P * 3), normalised as the head's target is.

        Raises:
            ValueError: The images have another number of patches than this decoder.
        """
        batch, length = ids_restore.shape
        if length != self.num_patches:
            raise ValueError(
                f'the images have {length} patches, the decoder was built for {self.num_patches} '
                f'(grid {self.grid}); give backbone, neck and crop the same size'
            )
        x = self.decoder_embed(x)
        hidden = self.mask_token.to(x.dtype).expand(batch, length + 1 - x.shape[1], -1)
        patches = torch.cat([x[:, 1:], hidden], dim=1)
        patches = patches.gather(1, ids_restore[..., None].expand(-1, -1, x.shape[2]))
        x = torch.cat([x[:, :1], patches], dim=1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            if self.with_cp and x.requires_grad:
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return self.decoder_pred(self.ln1(x))[:, 1:]
