# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import json
import subprocess
import sys
from pathlib import Path

import cv2
import mmdet
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from runs.launch import load_config

from sapiens_common.weights import find_config
from sapiens_det.person_detector import PersonDetector, check_ops
from sapiens_inference.engine.models import build_model
from sapiens_inference.items import Item

NAMES = ['rtmdet_m', 'rtmdet_tiny']


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    """RTMDet-tiny at 64 x 64 whose random weights give boxes of about 40 pixels."""
    config = Config.fromfile(str(find_config('rtmdet_tiny/det_person_no_nms')))
    for step in config.test_dataloader.dataset.pipeline:
        if 'scale' in step or 'size' in step:
            step.update({key: (64, 64) for key in step.keys() & {'scale', 'size'}})
    torch.manual_seed(0)
    model = build_model(config)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 1.5)
    for layer in model.bbox_head.rtm_reg:
        torch.nn.init.normal_(layer.weight, std=0.3)
        torch.nn.init.constant_(layer.bias, 2.5)
    path = tmp_path_factory.mktemp('det') / 'tiny.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
    return PersonDetector(config, path, device='cpu', score_thr=0.0)


def photos():
    rng = np.random.default_rng(0)
    sizes = [(60, 80), (100, 50), (64, 64)]
    return [cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (w, h)) for h, w in sizes]


def test_a_batch_gives_what_each_image_gives_alone(detector):
    images = photos()
    together = detector.detect(images)
    for image, many in zip(images, together, strict=True):
        alone = detector.detect([image])[0]
        assert len(alone) == len(many) > 1
        np.testing.assert_allclose(alone.xyxy, many.xyxy, atol=1e-2)
        np.testing.assert_allclose(alone.scores, many.scores, atol=1e-5)
        assert many.origin == 'detector' and (np.diff(many.scores) <= 0).all()
        height, width = image.shape[:2]
        assert (many.xyxy >= 0).all() and (many.xyxy <= [width, height, width, height]).all()


def test_no_images_have_no_boxes(detector):
    assert detector.detect([]) == []


def test_the_detector_sees_bgr(detector):
    """The reference's lite demo feeds it RGB."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 0] = 255  # blue
    sample = detector.pipeline(
        {'img': image, 'img_id': 0, 'img_path': '', 'ori_shape': (64, 64), 'img_shape': (64, 64)}
    )
    data = {'inputs': [sample['inputs']], 'data_samples': [sample['data_samples']]}
    inputs = detector.loaded.model.data_preprocessor(data, False)['inputs']
    expected = [(255 - 103.53) / 57.375, -116.28 / 57.12, -123.675 / 58.395]
    np.testing.assert_allclose(inputs[0, :, 30, 30], expected, rtol=1e-5)


def predictions(rows):
    """Instances of (x1, y1, x2, y2, score, label)."""
    table = torch.tensor(rows, dtype=torch.float32)
    return InstanceData(bboxes=table[:, :4], scores=table[:, 4], labels=table[:, 5].long())


def test_category_score_overlap_and_border(detector, monkeypatch):
    monkeypatch.setattr(detector, 'score_thr', 0.3)
    found = detector._select(
        predictions(
            [
                [10, 10, 50, 90, 0.9, 0],
                [12, 11, 51, 92, 0.8, 0],  # the same person again
                [60, 10, 130, 95, 0.7, 0],  # beyond the border
                [10, 60, 40, 99, 0.29, 0],  # a low score
                [70, 70, 90, 90, 0.95, 1],  # not a person
                [200, 5, 210, 9, 0.9, 0],  # outside
            ]
        ),
        (100, 100, 3),
    )
    np.testing.assert_array_equal(found.xyxy, [[10, 10, 50, 90], [60, 10, 100, 95]])
    np.testing.assert_allclose(found.scores, [0.9, 0.7])


def test_nobody_found_means_the_whole_image_or_nobody(detector, monkeypatch):
    monkeypatch.setattr(detector, 'score_thr', 2.0)
    items = [Item(0, 'a', image=photos()[0])]
    detector(items)
    np.testing.assert_array_equal(items[0].boxes.xyxy, [[0, 0, 80, 60]])
    assert items[0].boxes.origin == 'whole image (nobody detected)'
    monkeypatch.setattr(detector, 'whole_image_if_nobody', False)
    detector(items)
    assert len(items[0].boxes) == 0 and items[0].boxes.origin == 'detector'


def test_any_detector_of_mmdet_can_take_its_place(tmp_path):
    """80 classes, another architecture and another normalisation: mmdet's own YOLOX."""
    folder = Path(mmdet.__file__).parent / '.mim/configs/yolox'
    config = Config.fromfile(str(folder / 'yolox_tiny_8xb8-300e_coco.py'))
    for step in config.test_dataloader.dataset.pipeline:
        if 'scale' in step or 'size' in step:
            step.update({key: (64, 64) for key in step.keys() & {'scale', 'size'}})
    model = build_model(config)
    head = model.bbox_head
    for layer in (
        *head.multi_level_conv_cls,
        *head.multi_level_conv_obj,
        *head.multi_level_conv_reg,
    ):
        torch.nn.init.zeros_(layer.weight)  # whatever it sees, it says its biases:
        torch.nn.init.zeros_(layer.bias)  # boxes of one stride,
    for cls, obj in zip(head.multi_level_conv_cls, head.multi_level_conv_obj, strict=True):
        cls.bias.data[17] = obj.bias.data[0] = 5.0  # and class 17 everywhere
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, tmp_path / 'yolox.pth')
    other = PersonDetector(
        config, tmp_path / 'yolox.pth', device='cpu', score_thr=0.3, category=17, max_people=5
    )
    found = other.detect(photos())
    assert len(found) == 3 and all(1 <= len(boxes) <= 5 for boxes in found)
    other.category = 0
    assert not any(len(boxes) for boxes in other.detect(photos()))


def test_missing_ops_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmcv.ops', None)
    with pytest.raises(ImportError, match=r'MMCV_WITH_OPS=1 .*Without a detector, give the boxes'):
        check_ops()


@pytest.mark.parametrize('name', NAMES)
def test_the_recipe_is_upstreams_with_one_class_and_the_published_test_settings(name):
    ours = Config.fromfile(str(find_config(f'{name}/det_person')))
    folder = Path(mmdet.__file__).parent / '.mim/configs/rtmdet'
    theirs = Config.fromfile(str(folder / f'{name}_8xb32-300e_coco.py'))
    model, upstream = ours.model.to_dict(), theirs.model.to_dict()
    assert model['bbox_head'].pop('num_classes') == 1
    upstream['bbox_head'].pop('num_classes')
    upstream['backbone'].pop('init_cfg', None)  # users choose where to start
    for part in ('backbone', 'neck', 'bbox_head'):
        both = set(model[part]) | set(upstream[part])
        for key in both - {'deepen_factor', 'widen_factor'}:
            assert model[part].get(key) == upstream[part].get(key), (part, key)
        for key in ('deepen_factor', 'widen_factor'):
            assert model[part].get(key) == upstream[part].get(key)
    assert model['train_cfg'] == upstream['train_cfg']
    assert model['data_preprocessor'] == upstream['data_preprocessor']
    assert model['test_cfg'] == {
        'nms_pre': 1000,
        'min_bbox_size': 0,
        'score_thr': 0.05,
        'nms': {'type': 'nms', 'iou_threshold': 0.6},
        'max_per_img': 100,
    }
    assert Config.fromfile(str(find_config(f'{name}/det_person_no_nms'))).model.test_cfg.nms is None
    assert ours.param_scheduler == theirs.param_scheduler
    for key in ('optimizer', 'paramwise_cfg'):
        assert ours.optim_wrapper[key] == theirs.optim_wrapper[key]
    pairs = [
        (ours.train_dataloader.dataset.pipeline, theirs.train_dataloader.dataset.pipeline),
        (ours.custom_hooks[1].switch_pipeline, theirs.custom_hooks[1].switch_pipeline),
        (ours.test_dataloader.dataset.pipeline, theirs.test_dataloader.dataset.pipeline),
    ]
    for mine, other in pairs:
        steps = [{k: v for k, v in step.items() if k != 'backend_args'} for step in other]
        assert [dict(step) for step in mine] == steps


def test_data_root_reaches_the_data_and_the_metric(root):
    path = str(root / 'configs/det/rtmdet_tiny_person.py')
    config = load_config(path, None, 'none', {'data_root': '/data/mine'})
    for split in ('train', 'val', 'test'):
        assert config[f'{split}_dataloader'].dataset.data_root == '/data/mine'
    truth = '/data/mine/annotations/instances_val2017.json'
    assert config.val_evaluator.ann_file == config.test_evaluator.ann_file == truth


@pytest.mark.slow
def test_training_on_a_users_people(tmp_path, root):
    """Two iterations through tools/train.py, and the checkpoint finds its way into the detector."""
    images, rng = [], np.random.default_rng(0)
    (tmp_path / 'images').mkdir()
    for number in range(4):
        image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / 'images' / f'{number}.png'), image)
        images.append({'id': number, 'file_name': f'{number}.png', 'width': 64, 'height': 64})
    annotations = [
        {
            'id': n,
            'image_id': n,
            'category_id': 1,
            'bbox': [8, 8, 40, 48],
            'area': 1920,
            'iscrowd': 0,
        }
        for n in range(4)
    ]
    categories = [{'id': 1, 'name': 'person'}]
    content = {'images': images, 'annotations': annotations, 'categories': categories}
    (tmp_path / 'ann.json').write_text(json.dumps(content))
    (tmp_path / 'small.py').write_text(
        f'_base_ = {str(root / "configs/det/rtmdet_tiny_person.py")!r}\n'
        'train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False,\n'
        f'    dataset=dict(data_root={str(tmp_path)!r}, ann_file="ann.json",\n'
        '                 data_prefix=dict(img="images/")))\n'
        'val_cfg = val_dataloader = val_evaluator = None\n'
        'test_cfg = test_dataloader = test_evaluator = None\n'
        'train_cfg = dict(max_epochs=1, dynamic_intervals=None)\n'
        'custom_hooks = []\n'
        'param_scheduler = []\n'
        'default_hooks = dict(checkpoint=dict(interval=1, save_best=None))\n'
        'steps = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations", with_bbox=True),\n'
        '    dict(type="Resize", scale=(64, 64), keep_ratio=True), dict(type="PackDetInputs")]\n'
        'train_dataloader["dataset"]["pipeline"] = steps\n'
    )
    command = [sys.executable, str(root / 'tools/train.py'), str(tmp_path / 'small.py')]
    done = subprocess.run(
        [*command, '--work-dir', str(tmp_path / 'run')], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    detector = PersonDetector(
        'rtmdet_tiny/det_person_no_nms', tmp_path / 'run/epoch_1.pth', device='cpu'
    )
    assert len(detector.detect([np.zeros((64, 64, 3), np.uint8)])) == 1


def test_without_its_weights_it_says_how_to_do_without(tmp_path):
    with pytest.raises(ValueError, match=r"boxes='image' \(--boxes image\) is the whole photo"):
        PersonDetector(weights=tmp_path / 'none.pth', device='cpu')
