# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Runs that tune an encoder store little and resume bit for bit, also when parameters are sharded."""

import pytest
import torch
from mmengine.registry import MODELS
from old_torch import needs_fsdp2

from sapiens_common.sharded_files import read_whole_checkpoint


@needs_fsdp2
def test_killed_and_resumed(alone, tmp_path, pictures, mae_job):
    config = mae_job.make_config(tmp_path, pictures)
    plain = MODELS.build(config.model)
    plain.init_weights()
    base = tmp_path / 'base.pth'
    torch.save(plain.state_dict(), base)
    options = {
        'model.backbone.tuning': dict(method='lora', blocks=(1,)),
        'model.backbone.init_cfg': dict(type='Pretrained', checkpoint=str(base)),
    }
    whole = mae_job.weights(mae_job.train(tmp_path / 'whole', pictures, **options))
    for sharded in (False, True):
        folder = tmp_path / f'sharded_{sharded}'
        run = {**options, 'sharded': sharded}
        mae_job.train(folder, pictures, stop=2, **run)
        resumed = mae_job.train(folder, pictures, resume=True, **run)
        assert resumed.iter == 4
        stored = read_whole_checkpoint(folder / 'iter_4.pth').state_dict
        assert stored.keys() == whole.keys()
        for name, value in mae_job.weights(resumed).items():
            assert torch.equal(value, whole[name]), name
            assert torch.equal(value, stored[name]), name

        encoder = {name for name in stored if name.startswith('backbone.')}
        assert len(encoder) == 4 * 2 + 1
        assert all('.lora_' in n or n == 'backbone.base_sha256' for n in encoder), encoder
        groups = resumed.optim_wrapper.optimizer.param_groups
        trained = [p for p in resumed.model.parameters() if p.requires_grad]
        assert sum(len(group['params']) for group in groups) == len(trained)

    # A changed base does not carry the adapter.
    plain.backbone.pos_embed.data += 1
    torch.save(plain.state_dict(), base)
    with pytest.raises(ValueError, match=r'has the fingerprint \w{12}, but .*base\.pth has'):
        mae_job.train(folder, pictures, stop=5, resume=True, sharded=True, **options)
