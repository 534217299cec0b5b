#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Draw original, masked and reconstructed images side by side for several mask ratios.

python tools/visualize_mae.py configs/pretrain/sapiens_tiny_images.py work_dirs/x/iter_2000.pth IMAGES
"""

import argparse
from pathlib import Path

import _bootstrap
from _run_arguments import OptionsAction


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='pretraining config')
    parser.add_argument('checkpoint', help='full MAE checkpoint (a _clean one has no decoder)')
    parser.add_argument('images', help='folder, .txt list, or shards')
    parser.add_argument('--out', default='reconstructions.png')
    parser.add_argument('--count', type=int, default=6, help='images, evenly spread over the input')
    parser.add_argument('--ratios', type=float, nargs='+', default=[0.75, 0.8, 0.85, 0.9, 0.95])
    parser.add_argument('--device')
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    if args.count < 1:
        raise ValueError(f'--count must be at least 1, got {args.count}')

    import numpy as np
    import torch
    from mmengine.device import get_device
    from mmengine.registry import MODELS
    from runs.launch import load_config

    from sapiens_common.checkpoint import load_state_dict_strict
    from sapiens_common.sharded_files import read_whole_checkpoint
    from sapiens_inference.outputs.writers import write_image
    from sapiens_pretrain.data.sources import open_images
    from sapiens_pretrain.data.transforms import decode_crop
    from sapiens_pretrain.mae.pictures import draw_reconstructions

    config = load_config(args.config, None, 'none', args.cfg_options)
    model = MODELS.build(config.model)
    content = read_whole_checkpoint(args.checkpoint)
    load_state_dict_strict(model, content.state_dict, args.checkpoint)
    model = model.to(args.device or get_device())
    source = open_images(args.images)
    chosen = np.linspace(0, len(source) - 1, min(args.count, len(source))).round().astype(int)
    size = model.backbone.img_size
    images = (source.read(int(i)) for i in chosen)
    crops = [decode_crop(encoded, None, size, name) for name, encoded in images]
    batch = {'inputs': [torch.from_numpy(crop).permute(2, 0, 1) for crop in crops]}
    inputs = model.data_preprocessor(batch, False)['inputs']
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    write_image(Path(args.out), draw_reconstructions(model, inputs, args.ratios))
    print(f'{args.out}: {len(crops)} images, mask ratios {args.ratios}')


if __name__ == '__main__':
    _bootstrap.run(main)
