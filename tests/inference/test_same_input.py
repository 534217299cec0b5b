# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A photo reaches the model alike through validation and through the inferencer, for every task."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, init_default_scope

from sapiens_common.weights import find_config
from sapiens_inference.engine.dense import crop_region
from sapiens_inference.inputs.photos import read_photo
from sapiens_inference.items import Item
from sapiens_inference.tasks import TASKS
from sapiens_multitask.apis import MultitaskInferencer

BOX = [6.0, 3.0, 30.0, 40.0]  # x, y, width, height, as COCO has it
SIZE = (48, 64)  # of the photo, (h, w)
# Folder and suffix of the targets that a task's validation reads, and values for a photo of SIZE.
DEPTH = ('depths', '.npy', np.ones(SIZE, np.float32))
MAPS = {
    'seg': ('segmentations', '.png', np.zeros(SIZE, np.uint8)),
    'depth': DEPTH,
    'pointmap': DEPTH,
    'normal': ('normals', '.npy', np.tile(np.float32([0, 0, 1]), (*SIZE, 1))),
    'albedo': ('albedos', '.png', np.full((*SIZE, 3), 90, np.uint8)),
    'matting': ('alphas', '.png', np.full(SIZE, 255, np.uint8)),
}


def write_data(folder, image, tasks, suffix):
    """A validation set of one photo, in the layout that the tasks' own data sets read."""
    for name in ('images', 'masks', 'annotations', 'cameras'):
        (folder / name).mkdir()
    cv2.imwrite(str(folder / f'images/a{suffix}'), image)
    cv2.imwrite(str(folder / 'masks/a.png'), np.full(SIZE, 255, np.uint8))
    (folder / 'cameras/a.txt').write_text('60 0 32  0 60 24  0 0 1')
    for name, kind, values in (MAPS[task] for task in tasks if task in MAPS):
        (folder / name).mkdir()
        write = np.save if kind == '.npy' else cv2.imwrite
        write(str(folder / name / f'a{kind}'), values)
    points = np.tile([20.0, 20.0, 2.0], 308).tolist()
    person = {'id': 0, 'image_id': 0, 'category_id': 1, 'iscrowd': 0, 'bbox': BOX, 'area': 960}
    content = {
        'images': [{'id': 0, 'file_name': f'a{suffix}', 'height': SIZE[0], 'width': SIZE[1]}],
        'annotations': [{**person, 'keypoints': points, 'num_keypoints': 308}],
        'categories': [{'id': 1, 'name': 'person'}],
    }
    (folder / 'annotations/val.json').write_text(json.dumps(content))
    return folder / f'images/a{suffix}'


def validation_set(config, task, folder):
    """The data set of the config's validation, with its own pipeline."""
    settings = {**config.val_dataloader.dataset, 'data_root': str(folder)}
    if task in ('pose', 'multitask'):
        settings.update(ann_file='annotations/val.json', data_prefix={'img': 'images/'})
    elif task == 'seg':
        settings['ann_file'] = ''
    else:
        settings.pop('ann_file', None)
        settings.pop('framing', None)
    init_default_scope(config.default_scope)
    dataset = DATASETS.build(settings)
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return dataset


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
@pytest.mark.parametrize('task', TASKS)
def test_the_input_tensor_is_the_same(task, suffix, small_config, small_model, photo, tmp_path):
    image = photo(4, *SIZE)
    path = write_data(tmp_path, image, [task], suffix)
    config = small_config(task, shrink=False)
    weights = tmp_path / 'weights.pth'
    torch.save({'state_dict': small_model(task, shrink=False).state_dict()}, weights)
    inferencer = TASKS[task].load()(config, weights, device='cpu')
    x, y, width, height = BOX
    view = np.float32([x, y, x + width, y + height]) if task == 'pose' else None
    compare(inferencer, validation_set(config, task, tmp_path)[0], path, view)


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_the_input_tensor_of_a_multitask_model_is_the_same(suffix, photo, tmp_path):
    path = write_data(tmp_path, photo(4, *SIZE), ['seg', 'depth', 'normal', 'matting'], suffix)
    inferencer = MultitaskInferencer('sapiens_tiny/multitask_synthetic', device='cpu')
    config = Config.fromfile(str(find_config('sapiens_tiny/multitask_synthetic')))
    x, y, width, height = BOX
    box = np.float32([x, y, x + width, y + height])
    view = crop_region(box, SIZE, inferencer.aspect, padded=True)
    compare(inferencer, validation_set(config, 'multitask', tmp_path)[0], path, view)


def compare(inferencer, validated, path, view):
    """The photo's input tensor from the validation set and from the inferencer."""
    served = inferencer.preprocess(Item(0, 'a', path=path, image=read_photo(path)[0]), view)
    preprocessor = inferencer.loaded.model.data_preprocessor
    inputs = [
        preprocessor(pseudo_collate([sample]), False)['inputs'] for sample in (validated, served)
    ]
    assert inputs[0].ndim == 4 and inputs[0].std() > 0.1
    torch.testing.assert_close(inputs[0], inputs[1], rtol=0, atol=0)
