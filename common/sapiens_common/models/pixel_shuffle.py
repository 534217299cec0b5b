# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The decoder of Sapiens2's dense heads: 3x3 convolutions that upsample by shuffling channels to pixels."""

from collections.abc import Sequence

from torch import Tensor, nn

from .rms_norm import RMSNorm


class ChannelRMSNorm(nn.Module):
    """Root-mean-square norm over the channels of each pixel, with a learned factor per channel.

    Maps (B, C, H, W) to the same shape. The parameter is ``norm.weight`` (C,), as published.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = RMSNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each pixel's channels."""
        return self.norm(x.movedim(1, -1)).movedim(-1, 1)


NORMS: dict[str, type[nn.Module]] = {'instance': nn.InstanceNorm2d, 'rms': ChannelRMSNorm}
"""Norms by their names in configs; the instance norm has no parameters and no running statistics."""


def pixel_shuffle_layers(
    in_channels: int,
    upsample_out_channels: Sequence[int],
    conv_out_channels: Sequence[int],
    norm: str = 'instance',
) -> tuple[nn.Sequential, nn.Sequential, nn.Sequential]:
    """Build ``input_conv``, ``upsample_blocks`` and ``conv_layers`` of a dense head.

    All convolutions are 3x3 with bias and are followed by a norm and SiLU. The indices in each
    ``Sequential`` are those of the published checkpoints.

    Args:
        in_channels: Channels C of the encoder's feature map (B, C, h, w).
        upsample_out_channels: Channels c after each upsampling: a convolution to 4c channels, which
            a pixel shuffle turns into c channels of twice the height and width.
        conv_out_channels: Channels of the convolutions at full size.
        norm: ``instance`` or ``rms`` (over channels).

    Returns:
        Three ``nn.Sequential``, applied one after the other.

    Raises:
        ValueError: Unknown norm.
    """
    if norm not in NORMS:
        raise ValueError(f'norm {norm!r} is not one of {list(NORMS)}')
    make_norm = NORMS[norm]
    first = nn.Conv2d(in_channels, in_channels, 3, padding=1)
    input_conv = nn.Sequential(first, make_norm(in_channels), nn.SiLU(inplace=True))
    blocks: list[nn.Module] = []
    for channels in upsample_out_channels:
        conv = nn.Conv2d(in_channels, 4 * channels, 3, padding=1)
        blocks.append(
            nn.Sequential(conv, nn.PixelShuffle(2), make_norm(channels), nn.SiLU(inplace=True))
        )
        in_channels = channels
    convs: list[nn.Module] = []
    for channels in conv_out_channels:
        conv = nn.Conv2d(in_channels, channels, 3, padding=1)
        convs += [conv, make_norm(channels), nn.SiLU(inplace=True)]
        in_channels = channels
    return input_conv, nn.Sequential(*blocks), nn.Sequential(*convs)
