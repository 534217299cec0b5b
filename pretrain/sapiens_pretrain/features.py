# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Features of images from any Sapiens checkpoint, for anything that is not a task of this suite."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from PIL import Image
from torch import nn

from sapiens_common.checkpoint import LoadReport, encoder_state_dict, load_state_dict_strict
from sapiens_common.models.precision import lower_precision, parse_dtype
from sapiens_common.sharded_files import read_whole_checkpoint
from sapiens_common.weights import find_weights
from sapiens_pretrain.encoders import build_encoder, count_blocks

MEAN = (123.675, 116.28, 103.53)  # RGB, of values 0..255
STD = (58.395, 57.12, 57.375)
KINDS = ('map', 'pooled', 'cls')
_OUT_TYPES = {'map': 'featmap', 'pooled': 'avg_featmap', 'cls': 'cls_token'}


def _block_numbers(layers: Sequence[int], depth: int) -> list[int]:
    """Sorted numbers from 0 of blocks that may be counted from the end."""
    wrong = [layer for layer in layers if not -depth <= layer < depth]
    if wrong or not layers:
        raise ValueError(
            f'layers {list(layers)}: expected numbers from 0 to {depth - 1}, or from -1 (the last) '
            f'to {-depth}'
        )
    return sorted({layer % depth for layer in layers})


class FeatureExtractor:
    """Dense maps or vectors of images.

    Generation, size, input shape and tokens are taken from the checkpoint. Of Sapiens2, only features of the
    last block are normed.

    Args:
        checkpoint: Pretrained (MAE, ``_clean``, sharded) or task checkpoint: a file or a published name.
        kind: ``map`` (D, h, w), ``pooled`` (D,), the mean over patches, or ``cls`` (D,).
        layers: Blocks to read, -1 is the last; several are stacked in front: (layers, ...).
        img_size: (height, width) in pixels the images are resized to, aspect ratio not kept; None is
            what the checkpoint was trained at, or its size is meant for (Sapiens2).
        arch: Name or numbers of the encoder; None infers it.
        patch_padding: 2 for the published pose and normal checkpoints, 0 for all others.
        device: None picks the best.
        dtype: Precision of the encoder: float32 (also for None), float16, bfloat16 or ``auto``; features
            are float32.

    Raises:
        ValueError: The checkpoint has no encoder, no such layer, or no class token though ``cls`` is asked
            for.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        kind: str = 'map',
        layers: Sequence[int] = (-1,),
        img_size: tuple[int, int] | None = None,
        arch: str | dict[str, int] | None = None,
        patch_padding: int = 0,
        device: str | torch.device | None = None,
        dtype: str | None = None,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f'kind {kind!r} is not one of {KINDS}')
        weights, skipped = encoder_state_dict(
            read_whole_checkpoint(find_weights(checkpoint)), str(checkpoint)
        )
        has_token = 'cls_token' in weights
        if kind == 'cls' and not has_token:
            raise ValueError(f'checkpoint {checkpoint} has no class token; take kind map or pooled')
        self.device = torch.device(device or get_device())
        self.encoder = build_encoder(
            weights,
            str(checkpoint),
            img_size,
            arch,
            patch_padding,
            out_type=_OUT_TYPES[kind],
            out_indices=_block_numbers(layers, count_blocks(weights)),
        )
        self.img_size = self.encoder.img_size
        self.report: LoadReport = load_state_dict_strict(
            self.encoder, weights, str(checkpoint), skipped
        )
        self.encoder.eval().to(self.device)
        self.dtype = parse_dtype(dtype, self.device)
        lower_precision(nn.ModuleDict({'backbone': self.encoder}), self.dtype, self.device)
        self.mean = torch.tensor(MEAN, device=self.device).view(3, 1, 1)
        self.std = torch.tensor(STD, device=self.device).view(3, 1, 1)

    def prepare(self, image: np.ndarray) -> torch.Tensor:
        """Resize (bicubic, antialiased) a BGR uint8 image (H, W, 3) to uint8 RGB (3, h, w)."""
        height, width = self.img_size
        rgb = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
        resized = rgb.resize((width, height), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(resized)).permute(2, 0, 1)

    @torch.inference_mode()
    def __call__(self, prepared: Sequence[torch.Tensor]) -> list[np.ndarray]:
        """Features, float32, of images from :meth:`prepare`."""
        batch = torch.stack(list(prepared)).to(self.device, non_blocking=True)
        outputs: Any = self.encoder((batch.float() - self.mean) / self.std)
        stacked = torch.stack(outputs, dim=1)  # (B, layers, ...)
        if stacked.shape[1] == 1:
            stacked = stacked[:, 0]
        return list(stacked.float().cpu().numpy())
