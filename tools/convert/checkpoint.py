#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Rewrite a checkpoint: ``python tools/convert/checkpoint.py IN OUT`` with OUT .safetensors or .pth.

IN may be an mmengine .pth (task, MAE or _clean), a TorchScript .pt2 or a .safetensors file. Names and values
stay as they are, and are compared bit by bit after writing; optimizer state is left out.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap  # noqa: F401


def main(argv: list[str] | None = None) -> int:
    """Convert; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='checkpoint to read')
    parser.add_argument('target', help='.safetensors or .pth file to write')
    parser.add_argument(
        '--encoder', action='store_true', help='keep only the encoder, without a prefix (_clean)'
    )
    args = parser.parse_args(argv)
    try:
        from sapiens_inference.outputs.export import convert_checkpoint

        count = convert_checkpoint(args.source, args.target, args.encoder)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'{args.target}: {count} tensors, all equal')
    return 0


if __name__ == '__main__':
    sys.exit(main())
