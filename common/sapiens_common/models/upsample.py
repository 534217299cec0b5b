# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The decoder every Sapiens task head is made of: transposed and 1x1 convolutions."""

from collections.abc import Sequence

from torch import nn


def upsample_layers(
    in_channels: int,
    deconv_out_channels: Sequence[int],
    conv_out_channels: Sequence[int],
) -> tuple[nn.Sequential, nn.Sequential]:
    """Build ``deconv_layers`` (each doubles H and W) and ``conv_layers`` (1x1) of a task head.

    Every (de)convolution is followed by InstanceNorm without affine parameters or running
    statistics, and SiLU. The norm has no state, so index 0, 3, 6, ... of each ``Sequential`` holds the
    weights: the key layout of the published checkpoints.

    Args:
        in_channels: Channels C of the encoder's feature map (B, C, h, w).
        deconv_out_channels: Output channels per transposed convolution (kernel 4, stride 2, no
            bias); N of them turn (h, w) into (h * 2**N, w * 2**N).
        conv_out_channels: Output channels per 1x1 convolution (with bias).

    Returns:
        The two ``nn.Sequential``; the second maps the first's output.
    """
    deconvs: list[nn.Module] = []
    for channels in deconv_out_channels:
        deconv = nn.ConvTranspose2d(
            in_channels, channels, kernel_size=4, stride=2, padding=1, bias=False
        )
        deconvs += [deconv, nn.InstanceNorm2d(channels), nn.SiLU(inplace=True)]
        in_channels = channels
    convs: list[nn.Module] = []
    for channels in conv_out_channels:
        conv = nn.Conv2d(in_channels, channels, kernel_size=1)
        convs += [conv, nn.InstanceNorm2d(channels), nn.SiLU(inplace=True)]
        in_channels = channels
    return nn.Sequential(*deconvs), nn.Sequential(*convs)
