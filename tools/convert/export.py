#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Export a task model, as a file or as a folder that runs by itself.

    python tools/convert/export.py MODEL WEIGHTS OUT --format onnx
    python tools/convert/export.py MODEL WEIGHTS --bundle DIR

The file takes normalised RGB images (B, 3, H, W) with any batch B and gives raw maps: heatmaps, class
logits, depth, or normals before normalisation. What a program without this suite must know (crop, scaling,
decoding) is in the file as JSON. ``--bundle`` writes such a program beside the model, see docs/deployment.md.
Every file is compared with eager before the tool ends.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap  # noqa: F401


def main(argv: list[str] | None = None) -> int:
    """Export; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', help='config file or name such as sapiens_1b/pose_goliath')
    parser.add_argument('weights', help='checkpoint file or published name')
    parser.add_argument('out', nargs='?', help='file to write')
    parser.add_argument('--bundle', metavar='DIR', help='write a folder with a program instead')
    parser.add_argument('--format', choices=['torchscript', 'onnx', 'torch_export'])
    parser.add_argument('--task', default='', help='which one, of a multitask model')
    parser.add_argument(
        '--size', type=int, nargs=2, metavar=('H', 'W'), help='default: as the config says'
    )
    parser.add_argument('--opset', type=int, default=18, help='of ONNX')
    parser.add_argument(
        '--float32-positions',
        action='store_true',
        help='of a Sapiens2 encoder: ONNX runtimes round the released bfloat16 differently',
    )
    precision = parser.add_mutually_exclusive_group()
    for name, flag, help in (
        ('float16', '--half', 'ONNX in float16, for GPUs'),
        ('int8', '--int8', 'ONNX with matrix products in int8, for CPUs'),
    ):
        precision.add_argument(flag, dest='precision', action='store_const', const=name, help=help)
    parser.set_defaults(precision='float32')
    args = parser.parse_args(argv)
    if bool(args.out and args.format) == bool(args.bundle):
        parser.error('give either OUT and --format, or --bundle')
    try:
        from sapiens_inference.engine.models import load_model
        from sapiens_inference.outputs.bundle import write_bundle
        from sapiens_inference.outputs.deployment import describe_inferencer, task_of
        from sapiens_inference.outputs.export import export_model
        from sapiens_inference.tasks import find_task

        loaded = load_model(args.model, args.weights, device='cpu', task=args.task)
        onnx = bool(args.bundle) or args.format == 'onnx'
        positions(loaded.model, args.float32_positions, onnx and args.precision == 'float32')
        size = tuple(args.size or loaded.config.model.backbone.img_size)
        inferencer = find_task(task_of(loaded.config)).load()(loaded)
        if args.bundle:
            difference = write_bundle(inferencer, args.bundle, size, args.opset, args.precision)
        else:
            facts = describe_inferencer(inferencer, size)
            difference = export_model(
                loaded.model, args.out, args.format, size, args.opset, facts, args.precision
            )
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(
        f'{args.out or args.bundle}: {args.format or "bundle"} in {args.precision}, differs from eager by '
        f'{difference:.1e} of the largest output'
    )
    return 0


def positions(model: Any, float32: bool, exact: bool) -> None:
    """Set how a Sapiens2 encoder computes rotary positions; other models have none.

    Args:
        model: The model.
        float32: Whether to leave the released bfloat16.
        exact: Whether the file must equal eager, on runtimes that round bfloat16 differently.

    Raises:
        ValueError: It must, and positions are in bfloat16.
    """
    from sapiens_pretrain.models.rope import GridRotaryEmbedding

    for layer in model.modules():
        if not isinstance(layer, GridRotaryEmbedding):
            continue
        if float32:
            layer.set_dtype('float32')
            print('positions are in float32: outputs differ slightly from the bfloat16 ones')
        elif exact and str(layer.dtype) == 'torch.bfloat16':
            raise ValueError(
                'the encoder computes positions in bfloat16, which ONNX runtimes round differently; add '
                '--float32-positions, or write --format torch_export, which keeps them'
            )


if __name__ == '__main__':
    sys.exit(main())
