#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Look at training data: ``python tools/analysis/browse_dataset.py CONFIG --out pictures/``.

Of any task. ``--mode transformed`` (default) draws what the model gets with its targets; ``original`` what the files
hold; ``pipeline`` the sample after every transform that changes the image.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from _run_arguments import OptionsAction


def image_of(results: dict[str, Any]) -> Any:
    """uint8 (H, W, 3) BGR of a sample on its way, with its keypoints as dots; None before it is read."""
    import cv2
    import numpy as np

    from sapiens_common.files.images import decode_image, read_image

    image = results.get('img')
    if image is None and 'encoded' in results:  # a file of pretraining
        image = decode_image(results['encoded'], results['img_path'])
    if image is None:
        return None
    if not isinstance(image, np.ndarray):  # still encoded: the crop decodes what it needs
        image = read_image(results['img_path'])
    picture = np.ascontiguousarray(image[..., :3]).astype(np.uint8).copy()
    points = results.get('transformed_keypoints', results.get('keypoints'))
    if points is not None:
        shown = np.asarray(results.get('keypoints_visible', np.ones(points.shape[:2])))
        shown = shown[..., 0] if shown.ndim == 3 else shown
        for person, visible in zip(points, shown, strict=True):
            for x, y in person[visible > 0]:
                if np.isfinite([x, y]).all():
                    cv2.circle(picture, (round(float(x)), round(float(y))), 1, (0, 220, 60), -1)
    return picture


def stages(dataset: Any, index: int) -> list[tuple[str, Any]]:
    """(name of the transform, picture) after each transform that changes the picture."""
    import numpy as np

    read = getattr(dataset, 'read', dataset.get_data_info)
    results = read(index)
    picture = image_of(results)
    shown = [] if picture is None else [('file', picture)]
    for transform in dataset.pipeline.transforms:
        results = transform(results)
        if results is None:
            shown.append((f'{type(transform).__name__}: rejected', np.zeros((8, 8, 3), np.uint8)))
            break
        picture = image_of(results)
        if picture is None:
            continue
        before = shown[-1][1] if shown else None
        if before is None or before.shape != picture.shape or (before != picture).any():
            shown.append((type(transform).__name__, picture))
    return shown


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('--out', default='browse', metavar='DIR')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train')
    parser.add_argument(
        '--mode', choices=['transformed', 'original', 'pipeline'], default='transformed'
    )
    parser.add_argument('--count', type=int, default=12)
    parser.add_argument('--seed', type=int, default=0, help='which samples, and their augmentation')
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    import numpy as np
    from data_checks.samples import build_dataset, draw_sample
    from mmengine.registry import init_default_scope
    from mmengine.runner import set_random_seed
    from runs.launch import load_config

    from sapiens_common.visualization import sheet
    from sapiens_inference.outputs.writers import write_image

    config = load_config(args.config, None, 'none', args.cfg_options)
    init_default_scope(config.get('default_scope') or 'mmengine')
    loader = config.get(f'{args.split}_dataloader')
    if not loader:
        raise ValueError(f'{args.config}: no {args.split}_dataloader')
    dataset = build_dataset(loader.dataset)
    if args.mode != 'transformed' and not hasattr(dataset, 'pipeline'):
        raise ValueError(
            f'{args.config}: {type(dataset).__name__} has no pipeline of its own; take --mode transformed, or a '
            'config of one set'
        )
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    chosen = np.random.default_rng(args.seed).permutation(len(dataset))[: args.count]
    for index in map(int, chosen):
        set_random_seed(args.seed + index)
        if args.mode == 'transformed':
            packed = dataset[index]
            picture = None if packed is None else draw_sample(packed, dataset)
        else:
            found = stages(dataset, index)
            picture = found[0][1] if args.mode == 'original' else sheet(found)
        if picture is not None:
            write_image(out / f'{index:06d}.png', picture)
            written += 1
    print(f'wrote {written} pictures to {out}; {len(chosen) - written} samples were rejected')


if __name__ == '__main__':
    _bootstrap.run(main)
