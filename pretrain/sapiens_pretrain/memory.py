# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""How much GPU memory masked pretraining needs, by counting what is kept.

Counted: weights, gradients and AdamW's two moments in fp32; DDP's copy of the gradients; the bf16 copies
of the weights that autocast keeps during a step; and every tensor saved for the backward pass under bf16
autocast. Not counted: the CUDA context, workspaces and fragmentation (allow a tenth).
"""

from dataclasses import dataclass

from .models.vit import ARCH_ZOO

DECODER = {'embed_dims': 512, 'num_layers': 8, 'num_heads': 16, 'feedforward_channels': 2048}
PATCH_VALUES = 16 * 16 * 3

# Bytes saved per token and unit of width by one block: in fp32 its input and the input of the second norm
# (4 + 4); in bf16 the inputs of the three other linear layers and of the attention's projection
# (2 + 2 + 2), query, key and value (6), and the hidden layer before and after GELU, four times as wide
# (8 + 8). The attention's own output is counted as the projection's input.
_BLOCK_BYTES = 34
_STREAM_BYTES = 4  # the input of a block, all that checkpointing keeps
# Prediction, target, their difference and its square in fp32, the prediction in bf16.
_HEAD_BYTES = 18


@dataclass(frozen=True)
class Memory:
    """Bytes on each GPU.

    Attributes:
        parameters: Number of parameters, all ranks together.
        states: Bytes that do not depend on the batch.
        per_image: Bytes per image of the batch.
    """

    parameters: int
    states: float
    per_image: float

    def largest_batch(self, gigabytes: float, reserve: float = 0.1) -> int:
        """Images per GPU that fit into a memory of so many 10^9 bytes."""
        return max(0, int((gigabytes * 1e9 * (1 - reserve) - self.states) / self.per_image))


def block_parameters(arch: dict[str, int]) -> int:
    """Parameters of one transformer block."""
    width, hidden = arch['embed_dims'], arch['feedforward_channels']
    return 4 * width * (width + 1) + 2 * width * hidden + hidden + width + 4 * width


def count_parameters(arch: dict[str, int], num_patches: int) -> int:
    """Parameters of encoder, decoder and the fixed position tables."""
    width, narrow = arch['embed_dims'], DECODER['embed_dims']
    encoder = width * (PATCH_VALUES + 1) + width + (num_patches + 1) * width + 2 * width
    encoder += arch['num_layers'] * block_parameters(arch)
    decoder = narrow * (width + 1) + narrow + (num_patches + 1) * narrow + 2 * narrow
    decoder += DECODER['num_layers'] * block_parameters(DECODER) + PATCH_VALUES * (narrow + 1)
    return encoder + decoder


def pretraining_memory(
    size: str,
    img_size: tuple[int, int] = (1024, 1024),
    mask_ratio: float = 0.75,
    checkpointing: bool = True,
    gpus: int = 1,
    sharded: bool = False,
) -> Memory:
    """Memory of masked pretraining on each GPU.

    Args:
        size: Name in the size table.
        img_size: (height, width) in pixels.
        mask_ratio: Share of hidden patches.
        checkpointing: Whether blocks recompute their activations.
        gpus: Number of ranks.
        sharded: Whether states are split over them (FSDP).
    """
    arch = ARCH_ZOO[size]
    num_patches = img_size[0] // 16 * (img_size[1] // 16)
    parameters = count_parameters(arch, num_patches)
    if sharded:
        # Two blocks gathered in bf16 at a time, and the gradient of one in fp32.
        states = 16 * parameters / gpus + (2 * 2 + 4) * block_parameters(arch)
    else:
        states = (16 + 2 + (4 if gpus > 1 else 0)) * parameters
    per_image = _HEAD_BYTES * num_patches * PATCH_VALUES
    visible = int(num_patches * (1 - mask_ratio))
    deepest = 0
    for part, tokens in ((arch, visible + 1), (DECODER, num_patches + 1)):
        whole = _BLOCK_BYTES * part['embed_dims'] * tokens
        if checkpointing:
            per_image += part['num_layers'] * _STREAM_BYTES * part['embed_dims'] * tokens
            deepest = max(deepest, whole)  # the block that is being recomputed
        else:
            per_image += part['num_layers'] * whole
    return Memory(parameters, states, per_image + deepest)


def memory_table(gigabytes: float = 80) -> str:
    """Markdown table of all sizes at 1024 x 1024."""
    head = '| size | parameters | states, one GPU | states, DDP | states, FSDP on 8 / 64 GPUs '
    head += '| per image, recomputed / kept '
    head += f'| largest batch on {gigabytes:g} GB: DDP / FSDP on 8 |'
    rows = [head, '|' + '---|' * 7]
    for size in ARCH_ZOO:
        one, ddp = pretraining_memory(size), pretraining_memory(size, gpus=8)
        few = pretraining_memory(size, gpus=8, sharded=True)
        many = pretraining_memory(size, gpus=64, sharded=True)
        kept = pretraining_memory(size, checkpointing=False)
        rows.append(
            f'| {size} | {one.parameters / 1e6:.0f} M | {one.states / 1e9:.1f} GB '
            f'| {ddp.states / 1e9:.1f} GB | {few.states / 1e9:.1f} / {many.states / 1e9:.1f} GB '
            f'| {one.per_image / 1e9:.2f} / {kept.per_image / 1e9:.2f} GB '
            f'| {ddp.largest_batch(gigabytes)} / {few.largest_batch(gigabytes)} |'
        )
    return '\n'.join(rows)
