# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Upstream's own inferencers and dataset browser on the shipped configs as they are."""

import subprocess
import sys
from pathlib import Path

import cv2
import mmdet
import mmpose
import mmseg
import numpy as np
import pytest
import torch
from invented_data import PEOPLE, invent_data
from mmdet.evaluation import get_classes
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_checkpoint
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from safetensors.torch import load_file, save_file

from sapiens_common.checkpoint_names import to_published
from sapiens_common.layouts.goliath308 import goliath308_metainfo
from sapiens_common.weights import find_config, find_weights
from sapiens_pose.apis import PoseInferencer
from sapiens_seg.apis import SegInferencer
from sapiens_seg.vocabularies import resolve_vocabulary


@pytest.fixture
def files(small_model, photo, tmp_path):
    """`files(task)`: a shipped config, a checkpoint as a training run writes it, and a photo."""

    def make(task):
        names = {key: str(tmp_path / f'{task}{key}') for key in ('.pth', '.png')}
        if task == 'pose':
            metainfo = parse_pose_metainfo(goliath308_metainfo())
        else:
            metainfo = resolve_vocabulary('goliath').metainfo
        history = HistoryBuffer()
        history.update(1.0)
        content = {
            'state_dict': small_model(task, shrink=False).state_dict(),
            'meta': {'dataset_meta': metainfo},
            'message_hub': {'log_scalars': {'loss': history}},
        }
        torch.save(content, names['.pth'])
        cv2.imwrite(names['.png'], photo(3, 96, 80))
        return str(find_config(f'sapiens_tiny/{task}_goliath')), *names.values()

    return make


def test_mmpose_inferencer_gives_our_numbers(files, tmp_path):
    from mmpose.apis import MMPoseInferencer

    config, weights, image = files('pose')
    inferencer = MMPoseInferencer(config, weights, det_model='whole_image', device='cpu')
    (found,) = inferencer(image, return_vis=True, vis_out_dir=str(tmp_path / 'vis'))
    (person,) = found['predictions'][0]
    ours = PoseInferencer(config, weights, device='cpu', dtype='float32')(image, 'image')[0]
    np.testing.assert_allclose(person['keypoints'], ours.keypoints[0], atol=1e-3)
    np.testing.assert_allclose(person['keypoint_scores'], ours.scores[0], rtol=1e-5)
    assert found['visualization'][0].shape == (96, 80, 3)
    assert (found['visualization'][0] != cv2.imread(image)[..., ::-1]).any()  # points are drawn


def test_inference_topdown_gives_our_numbers(files):
    from mmpose.apis import inference_topdown, init_model

    config, weights, image = files('pose')
    boxes = np.float32([[5, 4, 70, 90], [20, 10, 60, 60]])
    found = inference_topdown(init_model(config, weights, device='cpu'), image, boxes)
    ours = PoseInferencer(config, weights, device='cpu', dtype='float32')(image, boxes)[0]
    for sample, points, scores in zip(found, ours.keypoints, ours.scores, strict=True):
        np.testing.assert_allclose(sample.pred_instances.keypoint_scores[0], scores, rtol=1e-5)
        # Some heatmaps of random weights are so flat that rounding decides on the sub-pixel step.
        apart = np.abs(sample.pred_instances.keypoints[0] - points).max(axis=1)
        assert np.mean(apart < 1e-3) > 0.9


def test_mmpretrain_extracts_features_of_our_encoder(files):
    from mmpretrain import FeatureExtractor

    encoder = {'type': 'sapiens_pretrain.SapiensViT', 'arch': 'tiny', 'img_size': (64, 48)}
    pipeline = [{'type': 'Resize', 'scale': (48, 64)}, {'type': 'PackInputs'}]
    dataset = {'type': 'CustomDataset', 'pipeline': pipeline}
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    preprocessor = {'type': 'ClsDataPreprocessor', 'mean': mean, 'std': std, 'to_rgb': True}
    model = {'type': 'ImageClassifier', 'backbone': encoder, 'data_preprocessor': preprocessor}
    config = Config(
        {
            'default_scope': 'mmpretrain',
            'model': model,
            'test_dataloader': {'dataset': dataset},
        }
    )
    extractor = FeatureExtractor(config, device='cpu')
    photo = cv2.imread(files('pose')[2])
    (found,) = extractor(photo, stage='backbone')
    small = cv2.resize(photo, (48, 64))[..., ::-1]
    image = torch.from_numpy((small - np.array(mean)) / np.array(std)).float().permute(2, 0, 1)
    with torch.no_grad():
        expected = extractor.model.backbone(image[None])[-1][0]
    assert found[-1].shape == (192, 4, 3)
    torch.testing.assert_close(found[-1], expected, rtol=1e-4, atol=1e-4)


def test_upstreams_readers_take_safetensors_in_published_names(tmp_path):
    from mmseg.apis import init_model

    config = find_config('sapiens2_tiny/normal_synthetic')
    weights = init_model(config, device='cpu').state_dict()
    published = to_published(weights, lambda tensor: tuple(tensor.shape))
    assert published.keys() != weights.keys()
    save_file(published, tmp_path / 'model.safetensors')
    found = init_model(config, str(tmp_path / 'model.safetensors'), device='cpu')
    torch.testing.assert_close(dict(found.state_dict()), dict(weights), rtol=0, atol=0)


def test_upstreams_readers_take_names_of_weights():
    config = Config.fromfile(find_config('sapiens_tiny/multitask_synthetic'))
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    load_checkpoint(model, 'sapiens_tiny/multitask_synthetic', strict=True)
    expected = load_file(find_weights('sapiens_tiny/multitask_synthetic'))
    assert all(
        torch.equal(model.state_dict()[name], value.float()) for name, value in expected.items()
    )


@pytest.mark.parametrize('name', ['sapiens2_0.4b/seg_goliath', 'sapiens_tiny/seg_synthetic'])
def test_mmseg_inferencer_finds_the_reader_it_looks_for(name):
    pipeline = Config.fromfile(find_config(name)).test_dataloader.dataset.pipeline
    assert pipeline[0].type == 'LoadImageFromFile'


@pytest.mark.parametrize('task', ['depth', 'normal'])
def test_mmsegs_api_takes_arrays_for_maps_too(photo, task):
    from mmseg.apis import inference_model, init_model

    config = Config.fromfile(find_config(f'sapiens_tiny/{task}_render_people'))
    model = init_model(config, device='cpu')
    found = inference_model(model, photo(3, 96, 80))
    assert found.get(f'pred_{task}_map').data.shape[1:] == (96, 80)


def test_mmseg_inferencer_gives_our_labels(files, tmp_path):
    from mmseg.apis import MMSegInferencer

    config, weights, image = files('seg')
    found = MMSegInferencer(config, weights, device='cpu')(image, out_dir=str(tmp_path / 'out'))
    ours = SegInferencer(config, weights, device='cpu', dtype='float32')(image)[0]
    np.testing.assert_array_equal(found['predictions'], ours.labels)
    assert list((tmp_path / 'out/vis').iterdir())


def test_mmdet_inferencers_give_the_numbers_of_a_direct_forward(files, tmp_path):
    """Mask R-CNN over a pyramid of our encoder's maps, as ViTDet has it."""
    from mmdet.apis import DetInferencer, inference_detector, init_detector

    folder = Path(mmdet.__file__).parent / '.mim/configs/_base_'
    config = Config.fromfile(folder / 'models/mask-rcnn_r50_fpn.py')
    config.merge_from_dict(Config.fromfile(folder / 'datasets/coco_instance.py').to_dict())
    widths = [192] * 4
    config.model.backbone = {
        'type': 'sapiens_pretrain.SapiensViT',
        'arch': 'tiny',
        'img_size': (64, 64),
        'out_indices': (2, 3, 4, 5),
    }
    config.model.neck = [
        {'type': 'mmseg.Feature2Pyramid', 'embed_dim': 192},
        {'type': 'ChannelMapper', 'in_channels': widths, 'out_channels': 256, 'num_outs': 5},
    ]
    config.merge_from_dict(Config.fromfile(folder / 'default_runtime.py').to_dict())
    config.model.test_cfg.rpn.update(nms_pre=50, max_per_img=50)
    config.model.test_cfg.rcnn.update(score_thr=0.0, max_per_img=10)
    config.test_dataloader.dataset.pipeline[1].scale = (64, 64)
    config.default_scope = 'mmdet'
    config.dump(tmp_path / 'config.py')
    torch.manual_seed(0)
    init_default_scope('mmdet')
    model = MODELS.build(config.model)
    meta = {'dataset_meta': {'classes': get_classes('coco')}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, tmp_path / 'weights.pth')
    image = files('pose')[2]

    small = cv2.resize(cv2.imread(image), (53, 64))  # the longer side becomes 64
    scale = (53 / 80, 64 / 96)
    sample = DetDataSample(
        metainfo={'img_shape': (64, 53), 'ori_shape': (96, 80), 'scale_factor': scale}
    )
    data = {'inputs': [torch.from_numpy(small).permute(2, 0, 1)], 'data_samples': [sample]}
    with torch.no_grad():
        (direct,) = model.eval().test_step(data)
    expected = direct.pred_instances

    names = [str(tmp_path / name) for name in ('config.py', 'weights.pth')]
    found = inference_detector(init_detector(*names, device='cpu'), image).pred_instances
    torch.testing.assert_close(found.bboxes, expected.bboxes)
    torch.testing.assert_close(found.scores, expected.scores)
    assert torch.equal(found.masks, expected.masks) and len(found) == 10
    inferencer = DetInferencer(*names, device='cpu', show_progress=False)
    (record,) = inferencer(image, out_dir=str(tmp_path / 'out'))['predictions']
    np.testing.assert_allclose(record['bboxes'], expected.bboxes, rtol=1e-5)
    np.testing.assert_allclose(record['scores'], expected.scores, rtol=1e-5)


@pytest.mark.slow
def test_upstream_needs_no_import_of_ours(files):
    """Torch reads nothing but tensors from a checkpoint unless somebody says what else is data."""
    config, weights, _ = files('pose')
    code = (
        'from mmpose.apis import MMPoseInferencer\n'
        f'MMPoseInferencer({config!r}, {weights!r}, det_model="whole_image", device="cpu")'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def browse(run_tool, tmp_path):
    """`browse(tool, task, *options)`: what upstream's dataset browser draws of a shipped config."""

    def run(tool, task, *options):
        invent_data(tmp_path / 'data')
        config = Config.fromfile(find_config(f'sapiens_tiny/{task}_synthetic'))
        config.train_dataloader.dataset.data_root = str(tmp_path / 'data')
        config.dump(tmp_path / 'config.py')
        out = tmp_path / 'out'
        run_tool(tool, tmp_path / 'config.py', '--not-show', '--output-dir', out, *options)
        return [cv2.imread(str(path)) for path in sorted(out.rglob('*.jpg'))]

    return run


@pytest.mark.parametrize('mode', ['transformed', 'original'])
def test_mmposes_dataset_browser_draws_our_samples(mode, browse):
    tool = Path(mmpose.__file__).parent / '.mim/tools/misc/browse_dataset.py'
    pictures = browse(tool, 'pose', '--mode', mode, '--max-item-per-dataset', PEOPLE)
    assert len(pictures) == PEOPLE
    side = (128, 96) if mode == 'transformed' else (64, 48)
    assert all(picture.shape[:2] == side for picture in pictures)


@pytest.mark.parametrize('task', ['seg', 'depth', 'normal', 'multitask'])
def test_mmsegs_dataset_browser_draws_our_samples(task, browse):
    tool = Path(mmseg.__file__).parent / '.mim/tools/analysis_tools/browse_dataset.py'
    pictures = browse(tool, task)
    assert len(pictures) == PEOPLE
    assert all(picture.std() > 10 for picture in pictures)
