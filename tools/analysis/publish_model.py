#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A checkpoint to hand on: ``python tools/analysis/publish_model.py CHECKPOINT OUT_FOLDER``.

Keeps weights alone (no optimizer, no log), as .safetensors named ``<name>-<first 8 digits of its SHA-256>``,
with the config that the checkpoint carries beside it.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap


def main() -> None:
    """Publish."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', help='.pth of a run, also of a sharded one')
    parser.add_argument('out', help='folder')
    parser.add_argument('--name', help='default: the name of the work directory, or of the file')
    parser.add_argument(
        '--dtype', choices=['float32', 'float16', 'bfloat16'], help='convert floating-point weights'
    )
    args = parser.parse_args()
    import torch

    from sapiens_common.files.tensors import save_tensors
    from sapiens_common.sharded_files import read_whole_checkpoint
    from sapiens_common.weights import sha256_of

    source, out = Path(args.checkpoint), Path(args.out)
    content = read_whole_checkpoint(source)
    weights = {name: value.contiguous() for name, value in content.state_dict.items()}
    if args.dtype:
        target = getattr(torch, args.dtype)
        weights = {n: v.to(target) if v.is_floating_point() else v for n, v in weights.items()}
    name = args.name or (source.parent.name if source.parent.name else source.stem)
    out.mkdir(parents=True, exist_ok=True)
    part = out / f'.{name}.part'
    save_tensors(part, weights, {'format': 'pt'})
    path = out / f'{name}-{sha256_of(part)[:8]}.safetensors'
    part.replace(path)
    config = content.meta.get('cfg')
    if isinstance(config, str):
        path.with_suffix('.py').write_text(config, encoding='utf-8')
    size = path.stat().st_size / 2**20
    before = source.stat().st_size / 2**20
    print(f'{path}: {len(weights)} tensors, {size:.1f} MiB (was {before:.1f})')


if __name__ == '__main__':
    _bootstrap.run(main)
