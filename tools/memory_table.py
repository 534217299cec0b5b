#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Compute which models fit on which GPU: for inference, LoRA, and training of all weights.

    python tools/memory_table.py normal/sapiens2_1b_render_people.py [MORE CONFIGS] [--cards 24 48 80 141]
    python tools/memory_table.py pose/sapiens_1b_goliath.py --tuning --cards 24 40 80

--tuning compares training all weights with the strategies of configs/_base_/strategies (docs/finetuning.md), with
activations kept and recomputed. Nothing is measured and no GPU is needed: the model runs once without data, and the bytes of all tensors that are
alive at the same time are counted. A tenth of each card is left to the context, workspaces and fragmentation.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import _bootstrap
import torch
from torch import Tensor, nn

SHARDS = 8  # GPUs that FSDP splits over
RESERVE = 0.1
# Bytes per trained parameter: itself, its gradient and AdamW's two moments in float32.
TRAINED = 16
FROZEN = 4
WAYS = {
    'full': 'all weights',
    'last_blocks': 'last 2 blocks',
    'lora': 'LoRA, rank 8',
    'frozen': 'head alone',
}
"""What the table calls training of all weights and the strategies of configs/_base_/strategies."""


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

    def total(self, batch: int = 1) -> float:
        """Bytes for a batch."""
        return self.fixed + self.first + (batch - 1) * self.further

    def batch(self, gigabytes: float) -> int:
        """Largest batch on a card of so many 10^9 bytes."""
        room = gigabytes * 1e9 * (1 - RESERVE) - self.total()
        return 0 if room < 0 else 1 + int(room / max(self.further, 1))


def build(config: Any, recompute: bool, way: str = 'full') -> nn.Module:
    """The model of a config, without data; ``way`` is ``full`` or one of the strategies."""
    from mmengine.config import Config

    from sapiens_common.weights import config_root
    from sapiens_inference.engine.models import build_model

    config = config.copy()
    config.model.backbone.with_cp = recompute
    if way != 'full':
        strategy = config_root() / f'_base_/strategies/{way}.py'
        config.model.backbone.tuning = Config.fromfile(str(strategy)).tuning
    return Raw(build_model(config))


def parameters(module: nn.Module, trained: bool = True) -> int:
    """Number of the trained, or of the frozen parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad == trained)


def slope(count: Callable[[int], float]) -> tuple[float, float]:
    """Bytes of one image, and of one more."""
    first, second = count(1), count(2)
    return first, second - first


def images(config: Any, batch: int) -> Tensor:
    """A batch (B, 3, H, W) of a config's input size."""
    return torch.zeros(batch, 3, *config.model.backbone.get('img_size', (1024, 768)))


def training(config: Any, recompute: bool, way: str = 'full') -> tuple[nn.Module, Need]:
    """The model of a config, and what training it in bfloat16 autocast with AdamW needs.

    To be called :func:`without_data`.
    """
    from benchmarks.harness.live_memory import backward_bytes

    model = build(config, recompute, way)
    fixed = TRAINED * parameters(model) + FROZEN * parameters(model, trained=False)
    if recompute:
        # Autocast's bfloat16 copies of trained weights stay for the step; else, as those of the head, they are
        # counted with what the backward pass waits for.
        fixed += 2 * parameters(model.model.backbone)
    return model, Need(fixed, *slope(lambda n: backward_bytes(model, images(config, n))))


def work(config: Any, way: str) -> int:
    """Floating-point operations of the matrix products in a training step of one image."""
    from benchmarks.harness.live_memory import without_data
    from torch.utils._pytree import tree_leaves
    from torch.utils.flop_counter import FlopCounterMode

    from sapiens_common.compat import plain_attention

    with without_data(), plain_attention(), FlopCounterMode(display=False) as counter:
        outputs = build(config, False, way)(images(config, 1))
        sum(leaf.sum() for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor)).backward()
    return counter.get_total_flops()


def needs(config: Any) -> tuple[int, dict[str, Need]]:
    """Parameters of a config's model, and what each way of using it needs."""
    from benchmarks.harness.live_memory import forward_bytes, without_data

    found: dict[str, Need] = {}
    with without_data():
        model, found['full'] = training(config, recompute=True)
        count = parameters(model)
        encoder = model.model.backbone
        # Two blocks gathered in bfloat16, and the gradient of one in float32.
        gathered = (2 * 2 + 4) * parameters(encoder) / encoder.num_layers
        found['sharded'] = Need(
            TRAINED * count / SHARDS + gathered, found['full'].first, found['full'].further
        )
        _, found['lora'] = training(config, True, 'lora')
        model = build(config, recompute=False).eval()
        plain = slope(lambda batch: forward_bytes(model, images(config, batch)))
        found['inference'] = Need(2 * count, *plain)
    return count, found


def tuning_rows(name: str, config: Any, cards: list[float]) -> Iterator[str]:
    """A line for each of :data:`WAYS`."""
    from benchmarks.harness.live_memory import without_data

    all_work = work(config, 'full')
    for way, label in WAYS.items():
        with without_data():
            model, kept = training(config, False, way)
            _, recomputed = training(config, True, way)
        ways = (kept, recomputed)
        cells = [name, label, f'{parameters(model) / 1e6:.1f} M']
        cells += [f'{work(config, way) / all_work:.2f}']
        cells += [' / '.join(f'{need.total(n) / 1e9:.1f}' for need in ways) for n in (1, 4)]
        cells += [' / '.join(str(need.batch(card) or '-') for need in ways) for card in cards]
        yield '| ' + ' | '.join(cells) + ' |'


def rows(name: str, config: Any, cards: list[float]) -> Iterator[str]:
    """The line of a model."""
    count, found = needs(config)
    ways = [found[way] for way in ('inference', 'lora', 'full', 'sharded')]
    fits = [' / '.join(str(need.batch(card) or '-') for need in ways) for card in cards]
    cells = [name, f'{count / 1e6:.0f} M', *(f'{need.total() / 1e9:.1f}' for need in ways), *fits]
    yield '| ' + ' | '.join(cells) + ' |'


def main() -> None:
    """Print the table, a row at a time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', help='config files or names of models')
    parser.add_argument('--cards', nargs='+', type=float, default=[24, 48, 80, 141], help='GB')
    parser.add_argument('--tuning', action='store_true', help='compare ways of fine-tuning')
    args = parser.parse_args()
    from mmengine.config import Config

    from sapiens_common.weights import find_config

    if args.tuning:
        head = ['model', 'trained', 'parameters', 'work of a step']
        head += ['batch 1: kept / recomputed, GB', 'batch 4, GB']
    else:
        head = ['model', 'parameters', 'inference', 'LoRA', 'all weights']
        head += [f'of {SHARDS} GPUs, each']
    head += [f'largest batch on {card:g} GB' for card in args.cards]
    print('| ' + ' | '.join(head) + ' |\n|' + '---|' * len(head))
    for name in args.configs:
        path = find_config(name)
        config = Config.fromfile(str(path))
        lines = (tuning_rows if args.tuning else rows)(path.stem, config, args.cards)
        for line in lines:
            print(line, flush=True)


if __name__ == '__main__':
    _bootstrap.run(main)
