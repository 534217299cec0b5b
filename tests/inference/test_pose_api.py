# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import json
import os
import subprocess
import sys

import cv2
import mmengine
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate

from sapiens_common.files.boxes import read_boxes_json
from sapiens_common.layouts.style import metainfo_style
from sapiens_pose.apis import PoseInferencer, PoseResult
from sapiens_pose.layouts import layout_metainfo
from sapiens_pose.selection import select_keypoints

SIDES = ('left', 'right', 'middle')
BOXES = np.array([[3, 4, 40, 44], [20.5, 1.25, 60, 47.5], [-5, 10, 30, 60]], np.float32)


@pytest.fixture(scope='module')
def pose(small_config, small_checkpoint):
    return PoseInferencer(
        small_config('pose'), small_checkpoint('pose'), device='cpu', dtype='float32'
    )


def as_test_py(pose, config, image, boxes):
    """What tools/test.py does with these boxes: the config's pipeline, and the model's test_step."""
    pipeline = Compose(config.test_dataloader.dataset.pipeline)
    samples = [
        pipeline({'img': image, 'bbox': b[None], 'bbox_score': np.ones(1, np.float32), **pose.meta})
        for b in boxes
    ]
    with torch.no_grad():
        predicted = pose.loaded.model.test_step(pseudo_collate(samples))
    found = [sample.pred_instances for sample in predicted]
    return np.stack([i.keypoints[0] for i in found]), np.stack(
        [i.keypoint_scores[0] for i in found]
    )


@pytest.mark.parametrize('flip', [True, False])
def test_own_boxes_give_the_keypoints_of_the_test_tool_to_the_last_bit(
    pose, small_config, photo, flip
):
    from mmengine.registry import DefaultScope

    assert pose.loaded.model.test_cfg['flip_test'] is True  # what the config says
    pose.loaded.model.test_cfg['flip_test'] = flip
    with DefaultScope.overwrite_default_scope('mmpose'):
        keypoints, scores = as_test_py(pose, small_config('pose'), photo(), BOXES)
    result = pose(photo(), BOXES, batch_size=3)[0]
    pose.loaded.model.test_cfg['flip_test'] = True
    np.testing.assert_array_equal(result.keypoints, keypoints)
    np.testing.assert_array_equal(result.scores, scores)
    np.testing.assert_array_equal(result.boxes, BOXES)
    assert result.box_origin == 'given' and len(result.names) == 308


def test_a_person_does_not_depend_on_who_shares_the_batch(pose, photo):
    """Rounding of float32 differs with the shape of a batch, so the maps are equal to 1e-5 only."""
    images = [photo(seed, 40 + seed, 60) for seed in range(3)]
    together = list(pose(images, BOXES[:2], batch_size=6))
    for image, many in zip(images, together, strict=True):
        for row in range(2):
            alone = pose(image, BOXES[row : row + 1], batch_size=1)[0]
            np.testing.assert_allclose(alone.scores[0], many.scores[row], rtol=1e-4, atol=1e-5)
            moved = np.abs(alone.keypoints[0] - many.keypoints[row]).max(axis=1)
            assert np.median(moved) < 1e-2  # single points of a random map may jump


def test_the_image_is_not_squeezed_and_the_whole_image_is_the_whole_image(pose):
    """The reference's lite demo grows boxes to the photo's aspect and swaps sides (9.1, rows 8, 9)."""
    wide = np.zeros((30, 200, 3), np.uint8)
    item = type('Item', (), {'pixels': wide, 'label': 'x'})()
    box = np.array([0, 0, 200, 30], np.float32)
    sample = pose.preprocess(item, box)['data_samples']
    width, height = sample.metainfo['input_scale']
    assert width / height == pytest.approx(48 / 64)  # the input's aspect, whatever the photo's
    assert width == pytest.approx(200 * 1.25)
    result = pose(wide, 'image')[0]
    np.testing.assert_array_equal(result.boxes, [[0, 0, 200, 30]])
    assert result.box_origin == 'whole image'


def test_the_model_sees_rgb_and_the_files_are_bgr(pose):
    blue = np.zeros((64, 48, 3), np.uint8)
    blue[..., 0] = 255
    item = type('Item', (), {'pixels': blue, 'label': 'x'})()
    sample = pose.preprocess(item, np.array([0, 0, 48, 64], np.float32))
    inputs = pose.loaded.model.data_preprocessor(pseudo_collate([sample]), False)['inputs'][0]
    middle = inputs[:, 32, 24]
    expected = (
        torch.tensor([0, 0, 255.0]) - torch.tensor([123.675, 116.28, 103.53])
    ) / torch.tensor([58.395, 57.12, 57.375])
    torch.testing.assert_close(middle, expected)


@pytest.mark.parametrize('wanted', ['face', ['nose', 'left_hand'], [3, 299], '17', 'coco'])
def test_a_subset_equals_the_same_points_of_all(
    pose, small_config, small_checkpoint, photo, wanted
):
    options = {'keypoints': wanted, 'device': 'cpu', 'dtype': 'float32'}
    part = PoseInferencer(small_config('pose'), small_checkpoint('pose'), **options)
    some = part(photo(), BOXES, batch_size=3)[0]
    everything = pose(photo(), BOXES, batch_size=3)[0]
    index = [everything.names.index(part.meta['keypoint_id2name'][i]) for i in part.selection.ids]
    slots = part.selection.slots
    np.testing.assert_array_equal(some.scores[:, slots], everything.scores[:, index])
    # The sub-pixel step multiplies matrices, whose rounding differs with their number; on the maps of
    # random weights it is ill-conditioned here and there.
    moved = np.abs(some.keypoints[:, slots] - everything.keypoints[:, index]).max(axis=2)
    assert np.median(moved) < 1e-3 and (moved < 0.05).mean() > 0.98


def test_selection_of_layouts_groups_and_names():
    meta = layout_metainfo('goliath')
    coco = select_keypoints(meta, 17)
    assert coco.ids.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 62, 41, 9, 10, 11, 12, 13, 14]
    whole = select_keypoints(meta, 'coco_wholebody')
    assert len(whole.names) == 133 and len(whole.ids) == 53
    assert len(select_keypoints(meta, 'face').ids) == 238
    assert select_keypoints(meta, ['nose', 'body']).ids.tolist()[:3] == [0, 1, 2]
    assert len(select_keypoints(layout_metainfo('coco_wholebody'), 'left_hand').ids) == 21
    reason = r"'tail' is neither a layout \(coco, .*nor a group \(body, foot"
    with pytest.raises(ValueError, match=reason):
        select_keypoints(meta, 'tail')
    np.testing.assert_array_equal(select_keypoints(meta, ['coco']).ids, coco.ids)
    assert select_keypoints(meta, [17]).ids.tolist() == [17]  # an id
    with pytest.raises(ValueError, match="the layout 'goliath' cannot be joined with others"):
        select_keypoints(meta, ['goliath', 'nose'])
    with pytest.raises(ValueError, match='keypoints: True is neither a layout'):
        select_keypoints(meta, [True])


def test_points_a_model_does_not_have_are_nan_with_score_zero(
    small_config, small_checkpoint, photo, tmp_path
):
    pose = PoseInferencer(
        small_config('pose'), small_checkpoint('pose'), keypoints='133', device='cpu'
    )
    result = pose(photo(), BOXES[:1], out_dir=tmp_path)[0]
    missing = np.isnan(result.keypoints[0]).any(axis=1)
    assert missing.sum() == 80 and (result.scores[0, missing] == 0).all()
    content = json.loads((tmp_path / 'pose/image_000000.json').read_text())
    assert content['people'][0]['keypoints'].count(None) == 80


def test_results_files_and_json(pose, photo, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), photo())
    result = pose(tmp_path / 'a.png', BOXES, out_dir=tmp_path / 'out')[0]
    content = json.loads(json.dumps(result.to_dict()))
    back = PoseResult.from_dict(content)
    for name in ('boxes', 'box_scores', 'keypoints', 'scores'):
        np.testing.assert_array_equal(getattr(back, name), getattr(result, name))
    assert back.source == result.source and back.names == result.names
    stored = json.loads((tmp_path / 'out/pose/a.json').read_text())
    assert stored['names'] == result.names and stored['source']['size'] == [48, 64]
    np.testing.assert_allclose(stored['people'][1]['keypoints'], result.keypoints[1], atol=6e-4)
    # The file serves as a box file again.
    np.testing.assert_allclose(read_boxes_json(tmp_path / 'out/pose/a.json')['a'][0][:4], BOXES[0])
    picture = cv2.imread(str(tmp_path / 'out/pose/a.jpg'))
    assert picture.shape == (48, 64, 3) and (tmp_path / 'out/pose/legend.png').is_file()
    pose(tmp_path / 'a.png', BOXES, out_dir=tmp_path / 'wide', legend=True)
    picture = cv2.imread(str(tmp_path / 'wide/pose/a.jpg'))
    assert picture.shape[0] == 48 and picture.shape[1] > 64  # photo and legend
    assert not (tmp_path / 'wide/pose/legend.png').exists()


def test_low_precision_stays_close_and_decodes_in_float32(
    pose, small_config, small_checkpoint, photo
):
    low = PoseInferencer(
        small_config('pose'), small_checkpoint('pose'), dtype='bf16', device='cpu', flip_test=False
    )
    samples = [low.preprocess(type('I', (), {'pixels': photo(), 'label': ''})(), BOXES[0])]
    data = low.loaded.model.data_preprocessor(pseudo_collate(samples), False)
    maps = {}
    for name, engine in (('bf16', low), ('fp32', pose)):
        engine.loaded.model.test_cfg['flip_test'] = False
        with torch.inference_mode():
            maps[name] = engine._heatmaps(data['inputs'])
    pose.loaded.model.test_cfg['flip_test'] = True
    assert maps['bf16'].dtype == torch.float32
    assert low.loaded.model.backbone.layers[0].attn.qkv.weight.dtype == torch.bfloat16
    difference = (maps['bf16'] - maps['fp32']).abs().max() / maps['fp32'].abs().max()
    assert 0 < difference < 0.05


def test_the_compiled_model_and_the_flip_option_are_used(small_config, small_checkpoint):
    """The reference throws the compiled model away, and its flip option is never passed on."""
    engine = PoseInferencer(
        small_config('pose'), small_checkpoint('pose'), compile=True, flip_test=False, device='cpu'
    )
    assert hasattr(engine.loaded.model.backbone.forward, '_torchdynamo_orig_callable')
    assert engine.loaded.model.test_cfg['flip_test'] is False


def test_wrong_weights_devices_and_types_are_refused(small_config, small_checkpoint, tmp_path):
    with pytest.raises(ValueError, match='does not fit TopdownPoseEstimator'):
        PoseInferencer(small_config('pose'), small_checkpoint('depth'))
    with pytest.raises(ValueError, match='needs weights: pass weights=FILE'):
        PoseInferencer(small_config('pose'))
    with pytest.raises(ValueError, match="dtype 'int8' is not one of"):
        PoseInferencer(small_config('pose'), small_checkpoint('pose'), dtype='int8')
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device 'cuda' is not there: torch sees 0"):
            PoseInferencer(small_config('pose'), small_checkpoint('pose'), device='cuda')


def assert_told_apart(style):
    """No two parts of a face share a colour, nearly: inner lips, right ear and right pupil once did."""
    colors = np.array([color for label, color in style.entries if label not in SIDES], float)
    distances = np.linalg.norm(colors[:, None] - colors[None], axis=2)
    assert len(colors) >= 8 and distances[~np.eye(len(colors), dtype=bool)].min() > 50


def test_style_tells_left_from_right_and_lists_what_is_there():
    meta = layout_metainfo('goliath')
    names = list(meta['keypoint_id2name'].values())
    style = metainfo_style(meta, names)
    assert len(style.colors) == len(style.sizes) == 308 and len(style.links) == 65
    assert style.colors[names.index('left_knee')] != style.colors[names.index('right_knee')]
    assert len(style.entries) == 19
    assert_told_apart(style)
    whole = metainfo_style(layout_metainfo('coco_wholebody'))
    assert {label for label, _ in whole.entries} >= {'contour', 'left eye', 'inner lips', 'nose'}
    assert_told_apart(whole)
    coco = select_keypoints(meta, 'coco')
    style = metainfo_style(meta, coco.names)
    assert [label for label, _ in style.entries] == ['left', 'right', 'middle']
    assert max(max(link) for link in style.links) < 17


@pytest.mark.slow
def test_tools_test_py_gives_the_same_keypoints(
    small_config, small_checkpoint, photo, tmp_path, root
):
    """The real command, detections of a user's file, and the API: equal to the last bit."""
    images, boxes = [], []
    for number in range(2):
        cv2.imwrite(str(tmp_path / f'{number}.png'), photo(number))
        images.append({'id': number, 'file_name': f'{number}.png', 'width': 64, 'height': 48})
        for row in range(number + 1):
            box = [3.3 + 9 * row, 4.1, 25.7 + row, 38.9]
            boxes.append({'image_id': number, 'category_id': 1, 'bbox': box, 'score': 0.9})
    people = [
        {
            **box,
            'id': n,
            'area': 999.0,
            'iscrowd': 0,
            'keypoints': [9, 9, 2] * 17,
            'num_keypoints': 17,
        }
        for n, box in enumerate(boxes)
    ]
    categories = [{'id': 1, 'name': 'person'}]
    content = {'images': images, 'annotations': people, 'categories': categories}
    (tmp_path / 'ann.json').write_text(json.dumps(content))
    (tmp_path / 'det.json').write_text(json.dumps(boxes))
    config = small_config('pose', 'coco')
    config.test_dataloader.dataset.update(
        data_root=None,
        ann_file=str(tmp_path / 'ann.json'),
        bbox_file=str(tmp_path / 'det.json'),
        data_prefix=dict(img=str(tmp_path)),
    )
    config.test_dataloader.update(batch_size=3, num_workers=0, persistent_workers=False)
    config.test_evaluator.ann_file = str(tmp_path / 'ann.json')
    config.dump(tmp_path / 'config.py')
    weights = str(small_checkpoint('pose', 'coco'))
    command = [sys.executable, str(root / 'tools/test.py'), str(tmp_path / 'config.py'), weights]
    command += ['--work-dir', str(tmp_path / 'run'), '--out', str(tmp_path / 'out.pkl')]
    # Another number of threads adds up in another order.
    env = {**os.environ, 'OMP_NUM_THREADS': str(torch.get_num_threads())}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    expected = mmengine.load(tmp_path / 'out.pkl')
    engine = PoseInferencer(tmp_path / 'config.py', weights, device='cpu', dtype='float32')
    results = list(engine(str(tmp_path / '*.png'), tmp_path / 'det.json', batch_size=3))
    found = np.concatenate([result.keypoints for result in results])
    np.testing.assert_array_equal(
        found, np.concatenate([p['pred_instances']['keypoints'] for p in expected])
    )
