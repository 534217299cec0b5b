# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The memory table's counts equal those of real models, and the docs show what it computes."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS

from sapiens_pretrain import memory
from sapiens_pretrain.models.vit import ARCH_ZOO, Block


@pytest.mark.parametrize('size', ['0.3b', '2b'])
def test_parameters(root, size):
    config = Config.fromfile(root / f'configs/pretrain/sapiens_{size}_humans300m.py')
    with torch.device('meta'):
        model = MODELS.build(config.model)
    counted = memory.count_parameters(ARCH_ZOO[size], 64 * 64)
    assert counted == sum(p.numel() for p in model.parameters())


def test_bytes_saved_by_a_block(monkeypatch):
    """Against what autograd really keeps, weights aside; attention as on a GPU, without float32 copies."""
    monkeypatch.setattr('sapiens_pretrain.models.vit.attend', F.scaled_dot_product_attention)
    dims, tokens = 192, 128
    block = Block(dims, 4 * dims, 3, qkv_bias=True, drop_path_rate=0.0)
    storages = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = (storage, tensor.shape)
        return tensor

    x = torch.randn(2, tokens, dims, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        with torch.autocast('cpu', torch.bfloat16):
            block(x)
    weights = {dims, 3 * dims, 4 * dims}
    kept = [s.nbytes() for s, shape in storages.values() if not set(shape[:1]) <= weights]
    per_value = sum(kept) / x.numel()
    assert abs(per_value - memory._BLOCK_BYTES) <= 3, per_value


def test_sharding_and_recomputation_save():
    whole = memory.pretraining_memory('2b', gpus=8)
    split = memory.pretraining_memory('2b', gpus=8, sharded=True)
    assert split.states < whole.states / 4
    assert split.largest_batch(80) > whole.largest_batch(80) > 0
    assert memory.pretraining_memory('2b').per_image < (
        memory.pretraining_memory('2b', checkpointing=False).per_image / 3
    )


def test_documented_table(root):
    assert memory.memory_table() in (root / 'docs/training.md').read_text()
