# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The Sapiens encoder behind a few convolutions, for small models that are trained from scratch."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sapiens_pretrain.registry import MODELS

from .base import Grid, PatchEmbed
from .vit import SapiensViT


class ConvPatchEmbed(PatchEmbed):
    """Patches to tokens through convolutions: each of ``channels`` halves the size and is followed by one that keeps it."""

    def __init__(
        self, in_channels: int, channels: Sequence[int], dims: int, patch_size: int
    ) -> None:
        rest, odd = divmod(patch_size, 2 ** len(channels))
        if odd or not rest:
            raise ValueError(f'{len(channels)} halvings do not fit a patch of {patch_size} pixels')
        super().__init__(channels[-1], dims, rest)
        layers: list[nn.Module] = []
        for width in channels:
            for stride in (2,) if not layers else (2, 1):
                conv = nn.Conv2d(in_channels, width, 3, stride, 1, bias=False)
                layers += [conv, nn.BatchNorm2d(width), nn.GELU()]
                in_channels = width
        self.stem = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Grid]:
        """Map images (B, C, H, W) to tokens (B, h * w, D) and the grid (h, w)."""
        return super().forward(self.stem(x))


@MODELS.register_module()
class ConvStemViT(SapiensViT):
    """:class:`SapiensViT` whose patches are embedded by convolutions ("Early Convolutions", Xiao et al., 2021).

    Patches of 16 x 16 through one linear map need more data than a small model has; with a convolutional stem
    the same blocks learn from a few thousand images.

    Args:
        stem_channels: Widths of the stem; each halves the image.
        **kwargs: As :class:`SapiensViT`.

    Raises:
        ValueError: As :class:`SapiensViT`; the stem does not fit the patches.
    """

    def __init__(self, stem_channels: Sequence[int] = (32, 64, 128), **kwargs: Any) -> None:
        self.stem_channels = tuple(stem_channels)  # read while the base is built
        super().__init__(**kwargs)

    def finish(self) -> None:
        """Put the stem in before anything is frozen or tuned."""
        self.patch_embed = ConvPatchEmbed(
            self.patch_embed.projection.in_channels,
            self.stem_channels,
            self.embed_dims,
            self.patch_size,
        )
        super().finish()

    def train(self, mode: bool = True) -> 'ConvStemViT':
        """Set training mode; the batch norms of a stem that is not trained keep their statistics."""
        super().train(mode)
        if not self.patch_embed.projection.weight.requires_grad:
            self.patch_embed.eval()
        return self
