#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Export a task model: ``python tools/convert/export.py MODEL WEIGHTS OUT --format onnx``.

The file takes normalised RGB images (B, 3, H, W) with any batch B and gives raw maps: heatmaps, class
logits, depth, or normals before normalisation. It is compared with eager before the tool ends.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap  # noqa: F401


def main(argv: list[str] | None = None) -> int:
    """Export; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', help='config file or name such as sapiens_1b/pose_goliath')
    parser.add_argument('weights', help='checkpoint file or published name')
    parser.add_argument('out', help='file to write')
    parser.add_argument('--format', choices=['torchscript', 'onnx', 'torch_export'], required=True)
    parser.add_argument(
        '--size', type=int, nargs=2, metavar=('H', 'W'), help='default: as the config says'
    )
    parser.add_argument('--opset', type=int, default=18, help='of ONNX')
    args = parser.parse_args(argv)
    try:
        from sapiens_inference.engine.models import load_model
        from sapiens_inference.outputs.export import export_model

        loaded = load_model(args.model, args.weights, device='cpu')
        size = args.size or loaded.config.model.backbone.img_size
        difference = export_model(loaded.model, args.out, args.format, tuple(size), args.opset)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(
        f'{args.out}: {args.format}, differs from eager by {difference:.1e} of the largest output'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
