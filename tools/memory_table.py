#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Compute which models fit on which GPU: for inference, LoRA, and training of all weights.

    python tools/memory_table.py normal/sapiens2_1b_render_people.py [MORE CONFIGS] [--cards 24 48 80 141]

Nothing is measured and no GPU is needed: the model runs once without data, and the bytes of all tensors that are
alive at the same time are counted. A tenth of each card is left to the context, workspaces and fragmentation.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import _bootstrap
import torch
from torch import Tensor, nn

RANK = 16  # of LoRA
SHARDS = 8  # GPUs that FSDP splits over
RESERVE = 0.1
# Bytes per trained parameter: itself, its gradient and AdamW's two moments in float32.
TRAINED = 16


class Adapted(nn.Module):
    """A frozen linear layer with a low-rank change, as LoRA trains it (Hu et al., ICLR 2022)."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(layer.in_features, RANK, bias=False)
        self.up = nn.Linear(RANK, layer.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return self.layer(x) + self.up(self.down(x))


class Raw(nn.Module):
    """Images to what the head puts out; in masked pretraining, to the loss."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Any:
        """Raw output of a batch."""
        masked = hasattr(self.model.backbone, 'mask_ratio') and self.training
        return self.model(images, None, mode='loss' if masked else 'tensor')


@dataclass(frozen=True)
class Need:
    """Bytes that stay, and bytes for each image of the batch beside those of the first."""

    fixed: float
    first: float
    further: float

    def total(self) -> float:
        """Bytes for one image."""
        return self.fixed + self.first

    def batch(self, gigabytes: float) -> int:
        """Largest batch on a card of so many 10^9 bytes."""
        room = gigabytes * 1e9 * (1 - RESERVE) - self.total()
        return 0 if room < 0 else 1 + int(room / max(self.further, 1))


def build(config: Any, recompute: bool) -> nn.Module:
    """The model of a config, without data."""
    from sapiens_inference.engine.models import build_model

    config = config.copy()
    config.model.backbone.with_cp = recompute
    return Raw(build_model(config))


def parameters(module: nn.Module, trained: bool) -> int:
    """Number of the trained, or of the frozen parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad == trained)


def adapt(model: nn.Module) -> None:
    """Freeze the encoder and give every linear layer of its blocks a trainable low-rank change."""
    from sapiens_pretrain.models.base import PlainViT

    encoder = next(part for part in model.modules() if isinstance(part, PlainViT))
    encoder.requires_grad_(False)
    blocks = getattr(encoder, encoder.BLOCKS)
    for parent in list(blocks.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, Adapted(child))
    # The first block's input must ask for gradients, or nothing would be recomputed.
    encoder.patch_embed.register_forward_hook(lambda _, __, out: (out[0].requires_grad_(), out[1]))


def slope(count: Callable[[int], float]) -> tuple[float, float]:
    """Bytes of one image, and of one more."""
    first, second = count(1), count(2)
    return first, second - first


def needs(config: Any) -> tuple[int, dict[str, Need]]:
    """Parameters of a config's model, and what each way of using it needs."""
    from benchmarks.harness.live_memory import backward_bytes, forward_bytes, without_data

    size = config.model.backbone.get('img_size', (1024, 768))

    def images(batch: int) -> Tensor:
        return torch.zeros(batch, 3, *size)

    found: dict[str, Need] = {}
    with without_data():
        model = build(config, recompute=True)
        count = parameters(model, trained=True)
        training = slope(lambda batch: backward_bytes(model, images(batch)))
        encoder = model.model.backbone
        weights = parameters(encoder, trained=True)
        # Autocast keeps a bfloat16 copy of the weights during a step; those of the head are counted.
        found['full'] = Need(TRAINED * count + 2 * weights, *training)
        # Two blocks gathered in bfloat16, and the gradient of one in float32.
        gathered = (2 * 2 + 4) * weights / encoder.num_layers
        found['sharded'] = Need(TRAINED * count / SHARDS + gathered, *training)
        adapt(model)
        trained = parameters(model, trained=True)
        frozen = parameters(model, trained=False)
        lora = slope(lambda batch: backward_bytes(model, images(batch)))
        found['lora'] = Need(TRAINED * trained + 2 * frozen, *lora)
        model = build(config, recompute=False).eval()
        plain = slope(lambda batch: forward_bytes(model, images(batch)))
        found['inference'] = Need(2 * count, *plain)
    return count, found


def row(name: str, config: Any, cards: list[float]) -> str:
    """One line of the table."""
    count, found = needs(config)
    ways = [found[way] for way in ('inference', 'lora', 'full', 'sharded')]
    fits = [' / '.join(str(need.batch(card) or '-') for need in ways) for card in cards]
    cells = [name, f'{count / 1e6:.0f} M', *(f'{need.total() / 1e9:.1f}' for need in ways), *fits]
    return '| ' + ' | '.join(cells) + ' |'


def main() -> None:
    """Print the table, a row at a time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', help='config files or names of models')
    parser.add_argument('--cards', nargs='+', type=float, default=[24, 48, 80, 141], help='GB')
    args = parser.parse_args()
    from mmengine.config import Config

    from sapiens_common.weights import find_config

    head = ['model', 'parameters', 'inference', 'LoRA', 'all weights', f'of {SHARDS} GPUs, each']
    head += [f'batch on {card:g} GB' for card in args.cards]
    print('| ' + ' | '.join(head) + ' |\n|' + '---|' * len(head))
    for name in args.configs:
        path = find_config(name)
        print(row(path.stem, Config.fromfile(str(path)), args.cards), flush=True)


if __name__ == '__main__':
    _bootstrap.run(main)
