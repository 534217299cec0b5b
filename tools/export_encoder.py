#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Write the encoder of a pretraining (or task) checkpoint alone, as <name>_clean.pth or .safetensors.

The result has the encoder's keys without "backbone.", as the published _clean files do; every task
config takes it as model.backbone.init_cfg=dict(type='Pretrained', checkpoint=...).
"""

import argparse
from pathlib import Path

import _bootstrap


def main() -> None:
    """Export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='.pth (of a sharded run too), .pt2 or .safetensors')
    parser.add_argument('--out', help='default: <name>_clean.pth beside the input')
    args = parser.parse_args()
    from safetensors.torch import save_file

    from sapiens_common.checkpoint import encoder_state_dict
    from sapiens_common.engine.checkpoint_files import save_checkpoint_file
    from sapiens_common.engine.sharded import read_whole_checkpoint

    source = Path(args.checkpoint)
    out = Path(args.out) if args.out else source.with_name(f'{source.stem}_clean.pth')
    if out.exists() and out.resolve() == source.resolve():
        raise ValueError(f'{out} is the input; choose another --out')
    content = read_whole_checkpoint(source)
    encoder, skipped = encoder_state_dict(content, str(source))
    if out.suffix == '.safetensors':
        save_file({name: value.contiguous() for name, value in encoder.items()}, out)
    else:
        save_checkpoint_file({'state_dict': encoder, 'meta': {'source': source.name}}, out)
    parts = sorted({name.split('.')[0] for name in skipped})
    print(f'{out}: {len(encoder)} tensors; {len(skipped)} left out ({", ".join(parts) or "none"})')


if __name__ == '__main__':
    _bootstrap.run(main)
