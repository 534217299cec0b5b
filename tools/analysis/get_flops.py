#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Operations and parameters: ``python tools/analysis/get_flops.py CONFIG [--shape 1024 768]``.

Counted by torch on the meta device, so that any size fits any machine. A multiply-add is two operations. Of a pretraining
model the encoder is counted, on all patches.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from _run_arguments import OptionsAction


def build_on_meta(config: Any) -> Any:
    """The model of a config without memory, where its library can build one so."""
    import torch
    from mmengine.registry import init_default_scope

    from sapiens_inference.engine.models import build_model

    init_default_scope(config.get('default_scope') or 'mmengine')
    try:
        with torch.device('meta'):
            return build_model(config).eval()
    except RuntimeError:  # some of upstream's encoders compute their drop rates on the device
        return build_model(config).eval().to('meta')


def input_shape(config: Any) -> tuple[int, int]:
    """(height, width) of a config's input.

    Raises:
        ValueError: The config does not say.
    """
    size = config.model.get('backbone', {}).get('img_size')
    if size is None:
        raise ValueError(
            f'{config.filename}: model.backbone names no img_size; pass --shape HEIGHT WIDTH'
        )
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def count(model: Any, shape: tuple[int, int], depth: int) -> list[tuple[str, int, int]]:
    """Rows of module name, operations for one image, parameters; the first row is the whole model.

    Raises:
        ValueError: The model does not take images of this shape, or needs more than an image; or
            torch is too old.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from sapiens_common.compat import plain_attention, require_torch

    require_torch('2.4', 'counting the operations of modules')
    counter = FlopCounterMode(display=False, depth=None)
    image = torch.empty(1, 3, *shape, device='meta')
    # The counter does not know the fused kernel of the CPU; the plain one is its matrix products.
    root = type(model).__name__
    try:
        with torch.no_grad(), plain_attention(), counter:
            model(image, None, mode='tensor')
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f'{root} does not run on one image of {shape[0]} x {shape[1]} alone: {error}'
        ) from error
    counts = counter.get_flop_counts()

    def operations_of(name: str, module: Any) -> int:
        # A module whose forward was called directly, or that is a list, was not counted itself.
        counted = sum(counts.get(f'{root}.{name}', {}).values())
        inside = (operations_of(f'{name}.{key}', child) for key, child in module.named_children())
        return counted or sum(inside)

    rows = [(root, counter.get_total_flops(), _parameters(model))]
    for name, module in model.named_modules():
        if name and name.count('.') < depth:
            row = (name, operations_of(name, module), _parameters(module))
            rows += [row] if row[1] or row[2] else []
    return rows


def _parameters(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def main() -> None:
    """Count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('--shape', nargs=2, type=int, metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument(
        '--depth', type=int, default=2, help='levels of modules to list (default 2)'
    )
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    from runs.launch import load_config

    config = load_config(args.config, None, 'none', args.cfg_options)
    shape = tuple(args.shape) if args.shape else input_shape(config)
    rows = count(build_on_meta(config), shape, args.depth)
    total = rows[0][1]
    print(f'{args.config}, one image of {shape[0]} x {shape[1]} (height x width)\n')
    print('| module | GFLOP | share | parameters (M) |\n|---|---|---|---|')
    for name, operations, parameters in rows:
        share = operations / total if total else 0.0
        print(f'| {name} | {operations / 1e9:.2f} | {share:.1%} | {parameters / 1e6:.2f} |')


if __name__ == '__main__':
    _bootstrap.run(main)
