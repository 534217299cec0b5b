# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import torch
from torch import nn

from sapiens_common.models import upsample_layers


def test_keys_sizes_and_layers():
    deconvs, convs = upsample_layers(8, (6, 4), (4, 4))
    assert sorted(deconvs.state_dict()) == ['0.weight', '3.weight']
    assert sorted(convs.state_dict()) == ['0.bias', '0.weight', '3.bias', '3.weight']
    x = torch.randn(2, 8, 4, 3)
    assert convs(deconvs(x)).shape == (2, 4, 16, 12)
    expected = x
    for index, layer in enumerate(deconvs):
        if index % 3 == 0:
            expected = nn.functional.conv_transpose2d(expected, layer.weight, stride=2, padding=1)
            mean = expected.mean((2, 3), keepdim=True)
            var = expected.var((2, 3), keepdim=True, unbiased=False)
            expected = (expected - mean) / (var + 1e-5).sqrt()
            expected = expected * expected.sigmoid()
    torch.testing.assert_close(deconvs(x), expected)


def test_no_layers_is_the_identity():
    deconvs, convs = upsample_layers(8, (), ())
    x = torch.randn(1, 8, 2, 2)
    assert torch.equal(convs(deconvs(x)), x)
