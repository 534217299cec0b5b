# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the encoders of both generations share: outputs, freezing, recomputation, layer depths.

Shape letters: B images, N tokens (prefix tokens included), D embedding, h x w token grid.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sapiens_common.checkpoint import load_pretrained
from sapiens_common.compat import add_load_hook

from .tuning import FINGERPRINT, complete, drop_base, refuse_part, tune

Grid = tuple[int, int]
OUT_TYPES = ('featmap', 'avg_featmap', 'cls_token', 'raw')


def find_arch(
    arch: str | dict[str, int], zoo: dict[str, dict[str, int]], prefix: str, keys: Sequence[str]
) -> dict[str, int]:
    """Numbers of an architecture given by name (with or without its prefix) or as a dict.

    Raises:
        ValueError: Unknown name, or a dict without one of the keys.
    """
    if isinstance(arch, str):
        name = arch.lower().removeprefix(prefix)
        if name not in zoo:
            raise ValueError(f'arch {arch!r} is not one of {list(zoo)} (or a dict {tuple(keys)})')
        return dict(zoo[name])
    missing = [key for key in keys if key not in arch]
    if missing:
        raise ValueError(f'a custom arch needs the keys {tuple(keys)}; {missing} missing in {arch}')
    return dict(arch)


class PatchEmbed(nn.Module):
    """Non-overlapping patches to tokens; ``padding`` zero-pads every image side first."""

    def __init__(self, in_channels: int, dims: int, patch_size: int, padding: int = 0) -> None:
        super().__init__()
        self.projection = nn.Conv2d(in_channels, dims, patch_size, patch_size, padding)

    def forward(self, x: Tensor) -> tuple[Tensor, Grid]:
        """Map images (B, C, H, W) to tokens (B, h * w, D) and the grid (h, w)."""
        x = self.projection(x)
        grid = (x.shape[2], x.shape[3])
        # Every later sum would inherit the transposed memory layout, and every norm would copy it.
        return x.flatten(2).transpose(1, 2).contiguous(), grid


class PlainViT(BaseModule):
    """Base of the encoders: a sequence of equal blocks between a stem and a final norm ``ln1``.

    Args:
        dims: Width D.
        num_layers: Number of blocks.
        img_size: Side or (height, width) of the images in pixels.
        patch_size: Side of a patch in pixels.
        unit: Pixels that an image side must be a multiple of.
        num_prefix_tokens: Tokens before the patches, class token included.
        with_cls_token: Whether token 0 is a class token.
        out_indices, out_type, frozen_stages, with_cp, tuning: As the subclasses document them.
        init_cfg: As for mmengine's ``BaseModule``.

    Raises:
        ValueError: A size, index, stage or output type that does not exist.
    """

    BLOCKS: str
    """Name of the list of blocks."""
    STEM: tuple[str, ...]
    """Names of the parts before the first block."""

    def __init__(
        self,
        dims: int,
        num_layers: int,
        img_size: int | tuple[int, int],
        patch_size: int,
        unit: int,
        num_prefix_tokens: int,
        with_cls_token: bool,
        out_indices: int | Sequence[int],
        out_type: str,
        frozen_stages: int,
        with_cp: bool,
        tuning: dict[str, Any] | None,
        init_cfg: Any,
    ) -> None:
        super().__init__(init_cfg)
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        if height % unit or width % unit:
            raise ValueError(
                f'img_size {(height, width)} is not a multiple of {self._unit_text(unit, patch_size)}'
            )
        if out_type not in OUT_TYPES:
            raise ValueError(f'out_type {out_type!r} is not one of {OUT_TYPES}')
        if out_type == 'cls_token' and not with_cls_token:
            raise ValueError("out_type 'cls_token' needs with_cls_token=True")
        if not -1 <= frozen_stages <= num_layers:
            raise ValueError(f'frozen_stages {frozen_stages} is not in [-1, {num_layers}]')
        self.embed_dims = dims
        self.num_layers = num_layers
        self.img_size = (height, width)
        self.patch_size = patch_size
        self.unit = unit
        self.grid = (height // unit, width // unit)
        self.num_extra_tokens = num_prefix_tokens
        self.out_type = out_type
        self.out_indices = _block_indices(out_indices, num_layers)
        self.frozen_stages = frozen_stages
        self.with_cp = with_cp
        self.tuning = tuning
        if tuning:
            self.register_buffer(FINGERPRINT, torch.zeros(32, dtype=torch.uint8))
            self._register_state_dict_hook(drop_base)
        add_load_hook(self, complete if tuning else refuse_part)

    def finish(self) -> None:
        """Freeze what is not to be trained; the last step of construction."""
        if self.tuning:
            tune(self, self.tuning)
        self.freeze()
        self.trained = {name for name, p in self.named_parameters() if p.requires_grad}

    def load_pretrained(self) -> bool:
        """Load the checkpoint that ``init_cfg`` names.

        Returns:
            Whether it names one.

        Raises:
            ValueError: It does not, and the encoder is to be tuned: nothing is learned on a random base.
        """
        loaded = load_pretrained(self, self.init_cfg)
        if self.tuning and not loaded:
            raise ValueError(
                'tuning starts from a pretrained encoder: set model.backbone.init_cfg='
                "dict(type='Pretrained', checkpoint=...) to a file or published name"
            )
        return loaded

    @staticmethod
    def _unit_text(unit: int, patch_size: int) -> str:
        if unit == patch_size:
            return f'patch_size {patch_size}'
        return f'{unit} (windows of {unit // patch_size} patches of {patch_size})'

    def check_images(self, x: Tensor) -> None:
        """Refuse images (B, C, H, W) that are not whole patches (and windows).

        Raises:
            ValueError: They are not. The patch convolution would leave the last rows and columns out
                without a word.
        """
        if any(side % self.unit for side in x.shape[2:]):
            raise ValueError(
                f'an image of {tuple(x.shape[2:])} is not a multiple of '
                f'{self._unit_text(self.unit, self.patch_size)}; resize it, or let the data '
                f'preprocessor pad it: model.data_preprocessor.test_cfg=dict(size_divisor={self.unit})'
            )

    def run_block(self, index: int, x: Tensor, *context: Any) -> Tensor:
        """Tokens (B, N, D) after block ``index``; after the last one, the final norm is applied.

        Args:
            index: Number of the block from 0.
            x: Tokens before it.
            *context: What the block takes beside the tokens.
        """
        x = self.recompute(getattr(self, self.BLOCKS)[index], x, *context)
        return self.ln1(x) if index == self.num_layers - 1 else x

    def recompute(self, part: Callable[..., Tensor], x: Tensor, *context: Any) -> Tensor:
        """``part(x, *context)``, recomputed in the backward pass if ``with_cp`` and there is one."""
        if self.with_cp and (x.requires_grad or self._is_trained(part)):
            return checkpoint(part, x, *context, use_reentrant=False)
        return part(x, *context)

    @staticmethod
    def _is_trained(part: Callable[..., Tensor]) -> bool:
        """Whether a part behind a frozen one is the first to be trained."""
        parameters = part.parameters() if isinstance(part, nn.Module) else ()
        return torch.is_grad_enabled() and any(p.requires_grad for p in parameters)

    def format(self, x: Tensor, grid: Grid) -> Tensor:
        """Bring tokens (B, N, D) into the form that ``out_type`` asks for."""
        if self.out_type == 'raw':
            return x
        if self.out_type == 'cls_token':
            return x[:, 0]
        patches = x[:, self.num_extra_tokens :]
        if self.out_type == 'avg_featmap':
            return patches.mean(dim=1)
        return patches.transpose(1, 2).unflatten(2, grid)

    def train(self, mode: bool = True) -> 'PlainViT':
        """Set training mode; frozen stages stay in evaluation mode."""
        super().train(mode)
        self.freeze()
        return self

    def freeze(self) -> None:
        """Take the frozen stages out of training."""
        if self.frozen_stages < 0:
            return
        everything = self.frozen_stages == self.num_layers
        for name, parameter in self.named_parameters():
            if everything or self.get_layer_depth(name)[0] <= self.frozen_stages:
                parameter.requires_grad_(False)
        for block in getattr(self, self.BLOCKS)[: self.frozen_stages]:
            block.eval()

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Depth of a parameter for layer-wise learning-rate decay.

        Args:
            param_name: Full name of the parameter.
            prefix: What the encoder's parameters start with in the whole model.

        Returns:
            (depth, number of depths): 0 for the stem, i + 1 for block i, the last for everything
            else (final norm and heads).
        """
        num_depths = self.num_layers + 2
        if not param_name.startswith(prefix):
            return num_depths - 1, num_depths
        part, *rest = param_name.removeprefix(prefix).split('.')
        if part in self.STEM:
            return 0, num_depths
        if part == self.BLOCKS:
            return int(rest[0]) + 1, num_depths
        return num_depths - 1, num_depths


def _block_indices(indices: int | Sequence[int], num_layers: int) -> tuple[int, ...]:
    """Non-negative, checked block indices."""
    wanted = (indices,) if isinstance(indices, int) else tuple(indices)
    found = tuple(i + num_layers if i < 0 else i for i in wanted)
    if not found or any(not 0 <= i < num_layers for i in found):
        raise ValueError(f'out_indices {indices} are not within {num_layers} blocks')
    return found
