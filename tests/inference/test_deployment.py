# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Exported files say what a program without the suite must know; test_bundle.py runs such a program."""

import json
from zipfile import ZipFile

import pytest
from old_torch import formats

from sapiens_inference.outputs.deployment import EXTRA_FILE, KEY, describe_deployment
from sapiens_inference.outputs.export import FORMATS, export_model

SIZE = (64, 48)


def read_description(path):
    """What an exported file says, read as a program without the suite would read it."""
    if path.suffix == '.onnx':
        import onnx

        entries = onnx.load(path, load_external_data=False).metadata_props
        return json.loads({entry.key: entry.value for entry in entries}[KEY])
    with ZipFile(path) as archive:
        # The folder depends on the format and on the torch that wrote it.
        (name,) = (name for name in archive.namelist() if name.endswith(f'/{EXTRA_FILE}'))
        return json.loads(archive.read(name))


@pytest.mark.parametrize('kind', formats)
def test_every_format_carries_the_description(kind, small_config, small_model, tmp_path):
    facts = describe_deployment(small_config('seg'), SIZE, ['background', 'face'])
    path = tmp_path / f'seg{FORMATS[kind]}'
    export_model(small_model('seg'), path, kind, SIZE, deployment=facts)
    assert read_description(path) == json.loads(json.dumps(facts))
    assert facts['task'] == 'seg' and facts['geometry']['kind'] == 'stretch'
    assert facts['input']['mean'] == [123.675, 116.28, 103.53]


def test_the_description_follows_the_config(small_config):
    config = small_config('pose')
    facts = describe_deployment(config, SIZE)
    assert facts['geometry']['box_growth'] == 1.25 and facts['output']['blur_taps'] == 11
    assert facts['output']['shape'][2:] == [16, 12] and facts['output']['mirror_and_average']
    for step in config.test_dataloader.dataset.pipeline:
        if step.type.endswith('GetBBoxCenterScale'):
            step.padding = 1.4
    config.model.head.decoder.blur_kernel_size = 17
    facts = describe_deployment(config, SIZE)
    assert facts['geometry']['box_growth'] == 1.4 and facts['output']['blur_taps'] == 17
    config.test_dataloader.dataset.pipeline = [dict(type='Unknown')]
    with pytest.raises(ValueError, match=r"known to make the input; its steps: \['Unknown'\]"):
        describe_deployment(config, SIZE)
    config.model.pop('head')
    with pytest.raises(ValueError, match='neither head nor decode_head'):
        describe_deployment(config, SIZE)
