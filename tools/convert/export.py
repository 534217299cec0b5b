#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Export a task model: ``python tools/convert/export.py MODEL WEIGHTS OUT --format onnx``.

The file takes normalised RGB images (B, 3, H, W) with any batch B and gives raw maps: heatmaps, class
logits, depth, or normals before normalisation. What a program without this suite must know (crop, scaling,
decoding) is in the file as JSON, see docs/inference.md. It is compared with eager before the tool ends.
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
        from sapiens_inference.outputs.deployment import describe_deployment, task_of
        from sapiens_inference.outputs.export import export_model
        from sapiens_inference.outputs.results import Source
        from sapiens_inference.tasks import find_task

        loaded = load_model(args.model, args.weights, device='cpu')
        size = tuple(args.size or loaded.config.model.backbone.img_size)
        inferencer = find_task(task_of(loaded.config)).load()(loaded)
        names = getattr(inferencer.empty(Source('', 0)), 'names', ())
        deployment = describe_deployment(loaded.config, size, names)
        difference = export_model(loaded.model, args.out, args.format, size, args.opset, deployment)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(
        f'{args.out}: {args.format}, differs from eager by {difference:.1e} of the largest output'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
