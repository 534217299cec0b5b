#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Rewrite a checkpoint, or list the names and shapes that one of a model has.

    python tools/convert/checkpoint.py IN OUT [--layout published]
    python tools/convert/checkpoint.py IN [OUT] --encoder
    python tools/convert/checkpoint.py merge TUNED OUT [--base FILE]
    python tools/convert/checkpoint.py keys CONFIG [--layout published] [--json]

IN may be an mmengine .pth (task, MAE or _clean; of a sharded run too), a TorchScript .pt2 or a .safetensors
file, OUT is .safetensors or .pth. Values stay as they are, and are compared bit by bit after writing; optimizer state is left out. Names
stay too, unless --layout asks for those of the published files or for those of this suite; they differ for
Sapiens2 alone. With --encoder the file holds what model.backbone.init_cfg of every task takes, as the published
_clean files do. merge joins what was tuned (LoRA and the like, docs/finetuning.md) with the base that it was
tuned from; OUT is a plain checkpoint of the whole model. The listing is made without memory for the weights, for models of any size.
"""

import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap  # noqa: F401

LAYOUTS = ('published', 'ours')


def main(argv: list[str] | None = None) -> int:
    """Convert or list; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    command = {'keys': list_keys, 'merge': merge_tuned}.get(argv[0] if argv else '', convert)
    try:
        command(argv)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def convert(argv: list[str]) -> None:
    """Rewrite one checkpoint."""
    parser = _parser()
    parser.add_argument('source', help='checkpoint to read, or the word keys')
    parser.add_argument(
        'target',
        nargs='?',
        help='.safetensors or .pth file to write (default with --encoder: <name>_clean.pth beside it)',
    )
    parser.add_argument(
        '--encoder', action='store_true', help='keep only the encoder, without a prefix (_clean)'
    )
    parser.add_argument('--layout', choices=LAYOUTS, help='names to write; default: as they are')
    parser.add_argument(
        '--half', action='store_true', help='float16 values, without metadata: to be handed on'
    )
    args = parser.parse_args(argv)
    source = Path(args.source)
    if args.target is None and not args.encoder:
        parser.error('name the file to write')
    target = args.target or source.with_name(f'{source.stem}_clean.pth')
    from sapiens_inference.outputs.export import convert_checkpoint

    count = convert_checkpoint(source, target, args.encoder, args.layout, args.half)
    print(f'{target}: {count} tensors, all equal')


def merge_tuned(argv: list[str]) -> None:
    """Write a tuned checkpoint and its base as one plain checkpoint."""
    parser = _parser()
    parser.add_argument('merge', choices=['merge'])
    parser.add_argument('source', help='checkpoint of a run with model.backbone.tuning')
    parser.add_argument('target', help='.safetensors or .pth file to write')
    parser.add_argument(
        '--base', help='file or published name of the base, where it is not what the run named'
    )
    args = parser.parse_args(argv)
    import torch

    from sapiens_common.checkpoint import load_state_dict_strict
    from sapiens_common.sharded_files import read_whole_checkpoint
    from sapiens_inference.engine.models import build_model
    from sapiens_inference.engine.stored_config import read_stored_config
    from sapiens_inference.outputs.export import convert_checkpoint
    from sapiens_pretrain.models.tuning import merge

    content = read_whole_checkpoint(args.source)
    config = read_stored_config(content.meta.get('cfg', ''), args.source)
    backbone = config.get('model', {}).get('backbone', {})
    if not backbone.get('tuning'):
        raise ValueError(
            f'{args.source}: its config has no model.backbone.tuning; nothing to merge'
        )
    if args.base:
        backbone.init_cfg = {'type': 'Pretrained', 'checkpoint': args.base}
    with redirect_stdout(sys.stderr):
        model = build_model(config)
        load_state_dict_strict(model, content.state_dict, args.source)
    merge(model)
    del backbone['tuning'], backbone['init_cfg']
    with TemporaryDirectory(dir=Path(args.target).resolve().parent) as folder:
        whole = Path(folder, 'whole.pth')
        meta = {**content.meta, 'cfg': config.pretty_text}
        torch.save({'meta': meta, 'state_dict': model.state_dict()}, whole)
        count = convert_checkpoint(whole, args.target)
    print(f'{args.target}: {count} tensors, a plain checkpoint')


def list_keys(argv: list[str]) -> None:
    """Print names and shapes of a config's model."""
    parser = _parser()
    parser.add_argument('keys', choices=['keys'])
    parser.add_argument('config', help='config file, or a name such as sapiens2_1b/pose')
    parser.add_argument('--layout', choices=LAYOUTS, default='ours', help='whose names')
    parser.add_argument('--json', action='store_true', help='one JSON object: name to shape')
    args = parser.parse_args(argv)
    import torch
    from mmengine.config import Config

    from sapiens_common.checkpoint_names import to_published
    from sapiens_common.weights import find_config
    from sapiens_inference.engine.models import build_model

    # Libraries log to standard output, which belongs to the listing.
    with redirect_stdout(sys.stderr), torch.device('meta'):
        model = build_model(Config.fromfile(str(find_config(args.config))))
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    if args.layout == 'published':
        shapes = to_published(shapes, lambda shape: shape)
    if args.json:
        print(json.dumps(shapes))
        return
    for name, shape in shapes.items():
        print(name, *shape)
    print(f'{len(shapes)} tensors')


if __name__ == '__main__':
    sys.exit(main())
