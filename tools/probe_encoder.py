#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Compare a pretrained encoder with random initialisation at the same budget: parts of patches.

python tools/probe_encoder.py DATA --checkpoint CHECKPOINT, where DATA has images/ and segmentations/*.png (ids)
"""

import argparse

import _bootstrap


def main() -> None:
    """Probe and fine-tune, both encoders."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', help='for example what tools/data/render_humans.py writes')
    parser.add_argument('--checkpoint', required=True)
    parser.add_argument('--arch', default='tiny')
    parser.add_argument('--img-size', type=int, nargs=2, default=[256, 192], metavar=('H', 'W'))
    parser.add_argument('--steps', type=int, default=300)
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--val-share', type=float, default=0.2)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    args = parser.parse_args()

    import torch
    from mmengine.logging import MMLogger

    from sapiens_pretrain.models.vit import SapiensViT
    from sapiens_pretrain.probe import load_patches, probe

    size = (args.img_size[0], args.img_size[1])
    train, val = load_patches(args.data, size).split(args.val_share)
    print(f'{len(train.images)} training and {len(val.images)} validation images of {size}')
    pretrained = {'type': 'Pretrained', 'checkpoint': args.checkpoint}
    MMLogger.get_current_instance().setLevel('WARNING')  # initialisers report every tensor
    for encoder_lr in (None, 5e-4):
        for name, init_cfg in (('random', None), ('pretrained', pretrained)):
            for seed in args.seeds:
                torch.manual_seed(seed)
                encoder = SapiensViT(arch=args.arch, img_size=size, init_cfg=init_cfg)
                encoder.init_weights()
                found = probe(
                    encoder,
                    train,
                    val,
                    args.steps,
                    args.batch_size,
                    encoder_lr=encoder_lr,
                    seed=seed,
                )
                kind = 'linear probe' if encoder_lr is None else 'fine-tuned'
                print(
                    f'{kind:12} {name:10} seed {seed}: person patches right '
                    f'{100 * found.accuracy:.1f} %, mean IoU {100 * found.mean_iou:.1f} %',
                    flush=True,
                )


if __name__ == '__main__':
    _bootstrap.run(main)
