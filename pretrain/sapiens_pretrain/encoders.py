# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The encoder whose tensors a checkpoint holds, of either generation."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sapiens_common.checkpoint_names import is_sapiens2
from sapiens_pretrain.models.base import PlainViT
from sapiens_pretrain.models.pos_embed import infer_grid
from sapiens_pretrain.models.sapiens2 import SAPIENS2_ZOO, Sapiens2ViT
from sapiens_pretrain.models.vit import ARCH_ZOO, SapiensViT

Weights = Mapping[str, Tensor]


def count_blocks(weights: Weights) -> int:
    """Number of blocks of an encoder."""
    blocks = f'{_generation(weights).BLOCKS}.'
    return 1 + max(int(name.split('.')[1]) for name in weights if name.startswith(blocks))


def infer_arch(weights: Weights) -> str:
    """Name of the size whose encoder has these tensors.

    Raises:
        ValueError: None has.
    """
    width = weights['patch_embed.projection.weight'].shape[0]
    depth = count_blocks(weights)
    zoo = SAPIENS2_ZOO if is_sapiens2(weights) else ARCH_ZOO
    for name, arch in zoo.items():
        if (arch['embed_dims'], arch['num_layers']) == (width, depth):
            return name
    raise ValueError(
        f'an encoder of width {width} with {depth} blocks is not one of {list(zoo)}; pass its arch'
    )


def build_encoder(
    weights: Weights,
    source: str,
    img_size: tuple[int, int] | None = None,
    arch: str | dict[str, int] | None = None,
    patch_padding: int = 0,
    **settings: Any,
) -> PlainViT:
    """An encoder that these tensors fit; they are not loaded yet.

    Args:
        weights: The encoder's tensors, without a prefix.
        source: Name of the file, for messages.
        img_size: (height, width) in pixels. None is what a first-generation checkpoint was trained at,
            by its position table; Sapiens2 has none, and what its size is meant for is taken.
        arch: Name or numbers of the encoder; None infers it.
        patch_padding: Padding of the patches; of the first generation alone.
        **settings: Further arguments of the encoder.

    Raises:
        ValueError: The size of encoder or images cannot be inferred, or padding for Sapiens2.
    """
    projection = weights['patch_embed.projection.weight']
    settings |= {'arch': arch or infer_arch(weights), 'patch_size': projection.shape[2]}
    settings |= {'in_channels': projection.shape[1], 'with_cls_token': 'cls_token' in weights}
    if is_sapiens2(weights):
        if patch_padding:
            raise ValueError(f'checkpoint {source} is of Sapiens2, which has no patch_padding')
        return _build_sapiens2(weights, img_size, settings)
    img_size = img_size or _trained_size(weights, source)
    return SapiensViT(img_size=img_size, patch_padding=patch_padding, **settings)


def _trained_size(weights: Weights, source: str) -> tuple[int, int]:
    """(height, width) in pixels that a first-generation encoder's position table is made for."""
    _, _, *patch = weights['patch_embed.projection.weight'].shape
    # Without the row of the class token.
    rows = weights['pos_embed'].shape[1] - ('cls_token' in weights)
    found = infer_grid(rows, (1, 1))
    if found is None or found[1]:
        raise ValueError(f'checkpoint {source}: pass img_size, its grid is unusual')
    (height, width), _ = found
    return height * patch[0], width * patch[1]


def _build_sapiens2(
    weights: Weights, img_size: tuple[int, int] | None, settings: dict[str, Any]
) -> Sapiens2ViT:
    """The encoder of the second generation; ``settings`` are those that both share."""
    table = weights.get('tokenizer.local_pos_embed')
    window = None if table is None else round((table.shape[1] - 1) ** 0.5)
    if img_size is None:
        height, width = (256, 192) if settings['arch'] == 'tiny' else (1024, 768)
        img_size = (height * (window or 1), width * (window or 1))
    registers = weights.get('storage_tokens')
    return Sapiens2ViT(
        img_size=img_size,
        tokenizer_window=window,
        num_registers=0 if registers is None else registers.shape[1],
        **settings,
    )


def _generation(weights: Weights) -> type[PlainViT]:
    return Sapiens2ViT if is_sapiens2(weights) else SapiensViT
