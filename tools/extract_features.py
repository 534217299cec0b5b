#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Write encoder features of images and videos: one .npy each, or one .safetensors file.

python tools/extract_features.py INPUT --checkpoint sapiens_0.3b_epoch_1600_clean.pth --out features
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import _bootstrap


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('input', help='image, folder, .txt list, pattern, or video')
    parser.add_argument(
        '--checkpoint',
        required=True,
        help='MAE, _clean or task checkpoint: a file or a published name',
    )
    parser.add_argument('--out', default='features', help='output folder; what is there is kept')
    parser.add_argument('--kind', choices=['map', 'pooled', 'cls'], default='map')
    parser.add_argument(
        '--layers', type=int, nargs='+', default=[-1], help='blocks; -1 is the last'
    )
    parser.add_argument('--img-size', type=int, nargs=2, metavar=('H', 'W'))
    parser.add_argument('--patch-padding', type=int, choices=[0, 2], default=0)
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--device')
    parser.add_argument(
        '--dtype', default='float32', choices=['auto', 'float32', 'bfloat16', 'float16']
    )
    parser.add_argument('--save-dtype', default='float32', choices=['float32', 'float16'])
    parser.add_argument('--workers', type=int, default=4, help='threads that decode and write')
    parser.add_argument(
        '--safetensors', action='store_true', help='join all to features.safetensors'
    )
    return parser.parse_args()


def main() -> None:
    """Extract."""
    args = parse_args()
    import numpy as np
    import torch

    from sapiens_common.files.atomic import write_atomically
    from sapiens_common.files.tensors import save_tensors
    from sapiens_common.progress import Progress
    from sapiens_inference.concurrency import batches, ordered_map, prefetch
    from sapiens_inference.engine.batching import AdaptiveBatch
    from sapiens_inference.inputs.sources import decode, open_inputs
    from sapiens_inference.outputs.summary import Summary, library_versions
    from sapiens_pretrain.features import FeatureExtractor
    from sapiens_pretrain.run_settings import check_settings

    started = time.monotonic()
    out = Path(args.out)
    extractor = FeatureExtractor(
        args.checkpoint,
        kind=args.kind,
        layers=args.layers,
        img_size=tuple(args.img_size) if args.img_size else None,
        patch_padding=args.patch_padding,
        device=args.device,
        dtype=args.dtype,
    )
    dtype = str(extractor.dtype).removeprefix('torch.')
    model = {'checkpoint': args.checkpoint, 'img_size': extractor.img_size, 'dtype': dtype}
    model |= {'kind': args.kind, 'layers': args.layers, 'patch_padding': args.patch_padding}
    device = {'device': str(extractor.device)}
    summary = Summary('features', models={'features': model | device}, versions=library_versions())
    source = open_inputs(args.input)
    check_settings(out / 'settings.json', {**model, 'save_dtype': args.save_dtype})
    written = []

    def target(item) -> Path:
        name = item.name if item.frame is None else f'{item.name}/{item.frame.number:06d}'
        return out / f'{name}.npy'

    def prepare(item):
        if not target(item).is_file():
            decode(item)
            if item.error is None:
                return item, extractor.prepare(item.pixels)
        return item, None

    def save(entry) -> None:
        item, features = entry
        write_atomically(target(item), lambda file: np.save(file, features.astype(args.save_dtype)))

    run = AdaptiveBatch(extractor, args.batch_size)
    with ThreadPoolExecutor(args.workers) as readers, ThreadPoolExecutor(args.workers) as writers:
        prepared = ordered_map(prepare, source.items, readers, ahead=2 * args.batch_size)
        progress = Progress(total=source.total, unit='img')
        for batch in batches(prefetch(prepared, args.batch_size), args.batch_size):
            todo = [(item, inputs) for item, inputs in batch if inputs is not None]
            found = run([inputs for _, inputs in todo])
            list(writers.map(save, zip((item for item, _ in todo), found, strict=True)))
            for item, inputs in batch:
                if inputs is None and item.error is None:
                    item.notes.append('was there already')
                if item.error is None:
                    written.append(target(item))
                summary.add(item)
            progress.update(len(batch))
    if args.safetensors:
        joined = {
            str(path.relative_to(out).with_suffix('')): torch.from_numpy(np.load(path))
            for path in written
        }
        save_tensors(out / 'features.safetensors', joined, {'format': 'pt'})
    summary.batch_size['features'] = run.size
    summary.wall_seconds = time.monotonic() - started
    summary.write(out / 'summary.json')
    print(summary)


if __name__ == '__main__':
    _bootstrap.run(main)
