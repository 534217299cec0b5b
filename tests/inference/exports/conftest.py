# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.

import json

import numpy as np
import pytest
from exported_people import NAMES, SIZE, person
from PIL import Image


@pytest.fixture
def run(tmp_path):
    """Results of one photo with two people, with every kind of map, as the tools write them."""
    photo = tmp_path / 'photos/sub/a.png'
    photo.parent.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photo)
    out = tmp_path / 'out'
    for task in ('pose', 'seg', 'depth', 'normal', 'pointmap'):
        (out / task / 'sub').mkdir(parents=True)
    source = {'name': 'sub/a', 'index': 0, 'path': str(photo), 'size': list(SIZE)}
    content = {'task': 'pose', 'ok': True, 'source': source, 'box_origin': 'given', 'names': NAMES}
    people = [person(4.0), person(36.0)]
    (out / 'pose/sub/a.json').write_text(json.dumps({**content, 'people': people}))
    labels = np.zeros(SIZE, np.uint8)
    labels[6:40, 6:22], labels[6:40, 40:56] = 2, 22
    image = Image.fromarray(labels).convert('P')
    image.putpalette([i % 256 for i in range(768)])
    image.save(out / 'seg/sub/a.png')
    classes = {'models': {'seg': {'classes': [f'part{i}' for i in range(28)]}}}
    (out / 'seg/summary.json').write_text(json.dumps(classes))
    rng = np.random.default_rng(1)
    np.save(out / 'depth/sub/a.npy', rng.random(SIZE).astype(np.float32))
    np.save(out / 'normal/sub/a.npy', rng.random((*SIZE, 3)).astype(np.float32))
    # A plane two metres away, seen by a camera of focal length 50.
    rows, columns = np.indices(SIZE)
    points = np.stack([(columns - 31.5) / 50 * 2, (rows - 23.5) / 50 * 2, np.full(SIZE, 2.0)], -1)
    np.savez(out / 'pointmap/sub/a.npz', points=points.astype(np.float32))
    return out


@pytest.fixture
def film(tmp_path):
    """Results of a video of three frames that is not at hand any more; the second frame is empty."""
    (tmp_path / 'out/pose').mkdir(parents=True)
    frames = [
        {'frame': 0, 'time': 0.0, 'box_origin': 'given', 'people': [person(1.0, 7)]},
        {'frame': 1, 'time': 0.04, 'box_origin': 'given', 'people': []},
        {
            'frame': 2,
            'time': 0.08,
            'box_origin': 'given',
            'people': [person(3.0, 7), person(30.0, 8)],
        },
    ]
    video = {'name': 'film', 'path': None, 'rate': 25.0}
    content = {'task': 'pose', 'names': NAMES, 'video': video, 'frames': frames}
    (tmp_path / 'out/pose/film.json').write_text(json.dumps(content))
    return tmp_path / 'out'
