# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A size card that is swapped in a recipe, and parts of different sizes, are refused."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from sapiens_common.engine.fit import check_fit


def check(config):
    with torch.device('meta'), DefaultScope.overwrite_default_scope(config.default_scope):
        model = MODELS.build(config.model)
    check_fit(model, config)


@pytest.mark.parametrize(
    'leaf', ['pose/sapiens_1b_coco', 'seg/sapiens_1b_lip', 'depth/sapiens_1b_folder']
)
def test_a_swapped_size_card_is_refused(root, tmp_path, leaf):
    task = leaf.split('/')[0]
    text = (root / f'configs/{leaf}.py').read_text()
    check(Config.fromfile(root / f'configs/{leaf}.py'))
    swapped = text.replace('sapiens_1b.py', 'sapiens_tiny.py')
    assert swapped != text
    swapped = swapped.replace("'../_base_/", f"'{root}/configs/_base_/")
    swapped = swapped.replace("'_base_/", f"'{root}/configs/{task}/_base_/")
    (tmp_path / 'swapped.py').write_text(swapped)
    message = r'makes images of 1024 x 768, the encoder is built for 256 x 192'
    with pytest.raises(ValueError, match=message):
        check(Config.fromfile(tmp_path / 'swapped.py'))


def test_a_head_of_another_size_is_refused(root):
    config = Config.fromfile(root / 'configs/pose/sapiens_tiny_coco.py')
    config.model.head.in_channels = 1536
    with pytest.raises(ValueError, match='in_channels is 1536, the encoder gives 192 channels'):
        check(config)
