# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Shipped recipes trained as `tools/train.py` trains them, for a few steps, with a thin model on small pictures."""

from unittest import mock

import torch.distributed as dist
from runs import launch

LAYERS = dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96)
ARCHS = {
    'SapiensViT': LAYERS,
    'Sapiens2ViT': dict(LAYERS, num_tokenizer_layers=1),
    'VisionTransformer': LAYERS,
}


def make_thin(model, size):
    """Give a model's config a thin encoder for an input of a size (height, width), and thin heads; in place."""
    backbone = model.backbone
    backbone.pop('init_cfg', None)  # would be a download
    backbone.update(arch=ARCHS[backbone.type.rpartition('.')[2]], img_size=size)
    tasks = model.get('tasks', {'': model}).values()
    for head in [task.get('decode_head') or task.head for task in tasks]:
        head.in_channels = LAYERS['embed_dims']
        for name in ('deconv', 'conv', 'upsample'):
            key = f'{name}_out_channels'
            if key in head:
                head[key] = (8,) * len(head[key])
        if 'grid_size' in head:
            rows, columns = (side // backbone.get('patch_size', 16) for side in size)
            head.update(grid_size=(rows, columns))
            head.update(scale_conv_out_channels=(8,), scale_linear_out_channels=(8,))


def train(path, work_dir, size, options):
    """The runner of a recipe after its training.

    Args:
        path: The recipe.
        work_dir: Where the run writes.
        size: (height, width) of the input.
        options: As `--cfg-options` takes them.
    """
    options = dict(options)
    config = launch.load_config(str(path), None, 'none', {})
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if config.get(loader):
            options.update({f'{loader}.num_workers': 0, f'{loader}.persistent_workers': False})
            options[f'{loader}.batch_size'] = 2
    launcher = 'pytorch' if dist.is_initialized() else 'none'
    config = launch.load_config(str(path), str(work_dir), launcher, options)
    make_thin(config.model, size)
    # Configs are written several times per run, and laying them out would take half of the time.
    with mock.patch('mmengine.config.config.FormatCode', lambda text, **_: (text, True)):
        runner = launch.build_runner(config)
        runner.train()
    return runner


def heads_without_gradient(runner):
    """Names of the parameters of heads that no step has moved."""
    state = runner.optim_wrapper.optimizer.state
    return [
        name
        for name, parameter in runner.model.named_parameters()
        if 'head.' in name and not state[parameter]['exp_avg'].any()
    ]
