# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Random masking, and what the masked encoders of both generations share.

Shape letters: B images, L patches of an image, V visible ones of them, D embedding.
"""

from torch import Tensor, nn
from torch.nn.init import normal_, xavier_uniform_

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


def init_embedding(patch_embed: nn.Module, cls_token: Tensor) -> None:
    """MAE's initialisation of the patch convolution, as a linear layer, and of the class token."""
    xavier_uniform_(patch_embed.projection.weight.data.flatten(1))  # flattened it is a view
    normal_(cls_token, std=0.02)


class MaskRatio:
    """Adds a checked ``mask_ratio`` to an encoder with a ``grid``."""

    grid: tuple[int, int]

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
