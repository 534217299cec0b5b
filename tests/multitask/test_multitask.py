# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The multitask model: one encoder pass, every task's own loss and prediction, one API."""

import json
from fractions import Fraction

import demo
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from sapiens_common.layouts.body_parts import BODY_PART_SWAP_PAIRS
from sapiens_common.models import precision
from sapiens_depth_normal.transforms import LoadMaps, RandomWarp, ResizeImage
from sapiens_depth_normal.transforms.warp import Warp
from sapiens_inference.engine.pipeline import Pipeline
from sapiens_inference.engine.plan import make_plan
from sapiens_inference.inputs.sources import Inputs
from sapiens_inference.items import Frame, Item, Video
from sapiens_inference.tasks import TASKS as TASK_TABLE
from sapiens_inference.tasks import TaskInfo
from sapiens_multitask.apis import MultitaskInferencer
from sapiens_multitask.models import MultitaskModel
from sapiens_multitask.transforms import (
    CropPerson,
    PackMultitask,
    RandomPersonWarp,
    WeighKeypoints,
)

TASKS = ('pose', 'seg', 'depth', 'normal')
SIZE = (64, 48)
BOXES = np.array([[2, 2, 20, 40], [25, 30, 48, 78]], np.float32)


@pytest.fixture(scope='module')
def config(root):
    config = Config.fromfile(root / 'configs/multitask/sapiens_tiny_synthetic.py')
    config.model.backbone.img_size = config.model.data_preprocessor.size = SIZE
    config.model.tasks.pose.head.decoder.update(
        input_size=SIZE[::-1], heatmap_size=(12, 16), sigma=1
    )
    for loader in (config.train_dataloader, config.test_dataloader):
        for step in loader.dataset.pipeline:
            if 'size' in step:
                step.size = SIZE
    return config


@pytest.fixture(scope='module')
def model(config):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config.model)
    # Normalised and random enough that outputs differ between pixels.
    for name, weight in model.named_parameters():
        if 'conv_seg' in name or 'final_layer' in name:
            torch.nn.init.normal_(weight, std=0.3)
    return model


def sample_of(seed=0):
    """Arrays as ``LoadMaps`` leaves them, of a made-up person."""
    random = np.random.default_rng(seed)
    normal = random.normal(size=(80, 50, 3)).astype(np.float32)
    points = random.uniform(2, 45, (1, 308, 2)).astype(np.float32)
    return dict(
        img=random.integers(0, 255, (80, 50, 3)).astype(np.uint8),
        img_path='a.png',
        ori_shape=(80, 50),
        mask=np.ones((80, 50), np.uint8),
        gt_depth_map=random.random((80, 50)).astype(np.float32),
        gt_normal_map=normal / np.linalg.norm(normal, axis=-1, keepdims=True),
        gt_seg_map=random.integers(0, 28, (80, 50)).astype(np.uint8),
        swap_pairs=BODY_PART_SWAP_PAIRS,
        keypoints=points,
        keypoints_visible=np.ones((1, 308), np.float32),
        flip_indices=np.roll(np.arange(308), 1),
    )


def batch(model, *samples, training=True):
    packed = [PackMultitask()(sample) for sample in samples]
    data = {key: [item[key] for item in packed] for key in packed[0]}
    return model.data_preprocessor(data, training)


def test_losses_of_all_tasks_with_weights(model):
    warp = RandomWarp(SIZE)
    samples = [warp.apply(sample_of(i), Warp(0, 0, 50, 80, flip=bool(i))) for i in range(2)]
    model.train()
    losses = model(**batch(model, *samples), mode='loss')
    names = {name.split('.')[0] for name in losses}
    assert names == set(TASKS)
    total = sum(value.mean() for name, value in losses.items() if 'loss' in name)
    total.backward()
    assert all(weight.grad is not None for weight in model.parameters())
    model.zero_grad()
    model.loss_weights['depth'] *= 3
    torch.manual_seed(0)
    again = model(**batch(model, *samples), mode='loss')
    model.loss_weights['depth'] /= 3
    name = 'depth.decode.loss_silog'
    torch.testing.assert_close(again[name], 3 * losses[name], rtol=1e-4, atol=0)


def test_one_pass_equals_single_models(model, config, monkeypatch):
    model.eval()
    calls = []
    forward = model.backbone.forward
    monkeypatch.setattr(model.backbone, 'forward', lambda x: calls.append(1) or forward(x))
    data = batch(model, ResizeImage(SIZE)(sample_of()), training=False)
    with torch.no_grad():
        found = model(**data, mode='predict')[0]
    assert len(calls) == 1
    assert found.pred_instances.keypoints.shape == (1, 308, 2)
    assert found.pred_sem_seg.data.shape == (1, 80, 50)
    alone = {**config.model.tasks.normal, 'backbone': config.model.backbone}
    with DefaultScope.overwrite_default_scope('mmseg'):
        alone = MODELS.build(alone).eval()
    alone.load_state_dict(model.task_state_dict('normal'))
    single = batch(model, ResizeImage(SIZE)(sample_of()), training=False)
    with torch.no_grad():
        expected = alone(**single, mode='predict')[0].pred_normal_map.data
    torch.testing.assert_close(found.pred_normal_map.data, expected)
    with torch.no_grad():
        raw = model(data['inputs'])
    assert set(raw) == set(TASKS)


def test_keypoints_follow_the_image():
    # A bright dot stays under its keypoint; the pair partner's row holds it after mirroring.
    dot = (20, 31)  # x, y
    for warp in (
        Warp(0, 0, 50, 80),
        Warp(8, 16, 24, 32, angle=25),
        Warp(8, 16, 24, 32, angle=-10, flip=True),
    ):
        sample = sample_of()
        sample['img'][:] = 0
        sample['img'][dot[1], dot[0]] = 255
        sample['keypoints'][0, 7] = dot
        result = RandomWarp(SIZE).apply(sample, warp)
        order = sample_of()['flip_indices']
        index = int(np.flatnonzero(order == 7)[0]) if warp.flip else 7
        light = result['img'][..., 0].astype(float)
        rows, columns = np.indices(SIZE)
        middle = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
        np.testing.assert_allclose(result['keypoints'][0, index], middle, atol=0.3)
        x, y = result['keypoints'][0].T
        inside = (x > -0.5) & (x < 47.5) & (y > -0.5) & (y < 63.5)
        np.testing.assert_array_equal(result['keypoints_visible'][0] > 0, inside)


def test_predicted_points_return_to_the_image():
    sample = PackMultitask()(ResizeImage(SIZE)(sample_of()))['data_samples']
    scale = np.array(SIZE[::-1]) / (50, 80)
    point = (np.array([20.0, 31.0]) + 0.5) * scale - 0.5  # where the resized image shows it
    back = point / sample.input_size * sample.input_scale + sample.input_center
    np.testing.assert_allclose(back - 0.5 * sample.input_scale, [20, 31])


def test_siblings(tmp_path):
    for folder, values in (
        ('images', (80, 50, 3)),
        ('masks', (80, 50)),
        ('segmentations', (80, 50)),
    ):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.ones(values, np.uint8)).save(tmp_path / folder / '0.png')
    path = str(tmp_path / 'images/0.png')
    result = LoadMaps(siblings=['mask', 'segmentation'])({'img_path': path})
    assert result['mask'].all() and (result['gt_seg_map'] == 1).all()
    with pytest.raises(
        ValueError, match=r'0\.png has no depth file: expected .*depth/0 or depths/0'
    ):
        LoadMaps(siblings=['depth'])({'img_path': path})
    # Dots in a name and capital extensions are as good as any, here as in the folder reader.
    (tmp_path / 'images/0.png').rename(tmp_path / 'images/walk.001.png')
    (tmp_path / 'masks/0.png').rename(tmp_path / 'masks/walk.001.PNG')
    dotted = str(tmp_path / 'images/walk.001.png')
    assert LoadMaps(siblings=['mask'])({'img_path': dotted})['mask'].all()
    (tmp_path / 'images/walk.001.png').rename(path)
    (tmp_path / 'segmentations/0.png').write_bytes(b'torn')
    with pytest.raises(ValueError, match=r'segmentations/0\.png cannot be decoded'):
        LoadMaps(siblings=['segmentation'])({'img_path': path})
    Image.fromarray(np.full((80, 50), 77, np.uint8)).save(tmp_path / 'segmentations/0.png')
    with pytest.raises(ValueError, match=r'segmentations/0\.png: values \[77\] are neither'):
        LoadMaps(siblings=['segmentation'])({'img_path': path})


@pytest.fixture(scope='module')
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp('multitask') / 'multitask.pth'
    torch.save({'state_dict': model.state_dict()}, path)
    return path


def test_command(weights, config, tmp_path, capsys):
    config.dump(tmp_path / 'multitask.py')
    Image.fromarray(sample_of()['img']).save(tmp_path / 'a.png')
    options = [str(tmp_path / 'a.png'), '--weights', str(weights), '--quiet']
    options += ['--out', str(tmp_path / 'out'), '--device', 'cpu']
    assert demo.main(['multitask', *options, '--model', str(tmp_path / 'multitask.py')]) == 0
    files = {p.relative_to(tmp_path / 'out').as_posix() for p in (tmp_path / 'out').rglob('a.*')}
    pictures = {f'{task}/a.jpg' for task in (*TASKS, 'sheet')}
    assert files == pictures | {
        'pose/a.json',
        'seg/a.png',
        'depth/a.npy',
        'depth/a.png',
        'normal/a.npy',
    }
    summary = json.loads((tmp_path / 'out/summary.json').read_text())
    assert 'relative, without unit' in summary['models']['multitask']['output']
    assert len(summary['models']['multitask']['classes']) == 28
    assert demo.main(['multitask', *options]) == 2  # no shipped config to tell from the checkpoint
    assert 'name the config as the model' in capsys.readouterr().err


def test_convention_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr(TaskInfo, 'load', lambda task: lambda *_, **options: options)
    (tmp_path / 'a.pth').touch()
    arguments = ['normal', 'a.jpg', '--weights', str(tmp_path / 'a.pth'), '--model', 'a.py']
    built, _ = demo.build(demo.parse_args([*arguments, '--out', 'out', '--convention', 'opencv']))
    assert built[0]['convention'] == 'opencv'


def test_inferencer(weights, config, tmp_path):
    multitask = MultitaskInferencer(config, weights, device='cpu', workers=1)
    image = sample_of()['img']
    whole = multitask(image)[0]
    assert whole['seg'].labels.shape == whole['depth'].depth.shape == (80, 50)
    assert whole['pose'].keypoints.shape == (1, 308, 2) and whole['pose'].scores.shape == (1, 308)
    assert whole['pose'].box_origin == 'whole image'
    np.testing.assert_array_equal(whole['depth'].mask, whole['seg'].labels > 0)
    np.testing.assert_allclose(np.linalg.norm(whole['normal'].normal, axis=-1), 1, atol=1e-5)
    crops = multitask(image, boxes=BOXES, out_dir=tmp_path / 'out')[0]
    pose = crops['pose']
    assert pose.keypoints.shape == (2, 308, 2)
    np.testing.assert_array_equal(pose.boxes, BOXES)
    low, high = BOXES[:, None, :2] - 8, BOXES[:, None, 2:] + 8  # regions are larger than boxes
    # The weights are random, so a few of the refinement's Newton steps are long.
    assert ((pose.keypoints > low - 8) & (pose.keypoints < high + 8)).mean() > 0.9
    back = type(crops).from_dict(json.loads(json.dumps(crops.to_dict())))
    np.testing.assert_array_equal(back['depth'].depth, crops['depth'].depth)
    failed = multitask([np.zeros((3, 3, 3), np.uint8)])[0]
    assert not failed.ok and failed['pose'].error == failed.error
    assert failed['pose'].keypoints.shape == (0, 308, 2)


@pytest.mark.parametrize('task', TASKS)
def test_one_task_alone_gives_what_all_give_together(weights, config, task):
    """Its own inferencer takes the multitask model by name, and returns the same numbers."""
    image = sample_of(3)['img']
    together = MultitaskInferencer(config, weights, device='cpu')(image, BOXES)[0][task]
    alone = TASK_TABLE[task].load()(config, weights, device='cpu')(image, BOXES)[0]
    assert type(alone) is type(together)
    field = TASK_TABLE[task].result
    np.testing.assert_allclose(getattr(alone, field), getattr(together, field), atol=1e-4)


@pytest.mark.parametrize('fast', [True, False])
def test_the_default_precision_is_what_the_hardware_has(weights, config, monkeypatch, fast):
    monkeypatch.setattr(precision, 'has_fast_bfloat16', lambda device: fast)
    model = MultitaskInferencer(config, weights, device='cpu').loaded.model
    expected = torch.bfloat16 if fast else torch.float32
    heads = {
        name: task.head if name == 'pose' else task.decode_head
        for name, task in model.tasks.items()
    }
    layers = {name: head.deconv_layers[0] for name, head in heads.items()}
    layers['encoder'] = model.backbone.layers[0].attn.qkv
    assert {name: layer.weight.dtype for name, layer in layers.items()} == dict.fromkeys(
        layers, expected
    )


def test_smoothing_and_numbers_over_a_video(weights, config):
    multitask = MultitaskInferencer(config, weights, device='cpu', keypoints='coco', kpt_thr=0.5)
    video = Video('film', None, Fraction(10))
    rough = [sample_of(0)['img'], sample_of(1)['img']]

    def frames(smooth):
        items = (
            Item(n, 'film', image=image, frame=Frame(video, n, n / 10))
            for n, image in enumerate(rough)
        )
        plan = make_plan([multitask], BOXES, smooth=smooth)
        run = Pipeline(Inputs(items, 2), plan).run()
        return [item.results['pose'] for item in run]

    plain, smooth = frames(False), frames(True)
    assert len(plain[0].names) == 17 and plain[1].track_ids.tolist() == [1, 2]
    np.testing.assert_allclose(plain[0].keypoints, smooth[0].keypoints)
    moved = [np.abs(two[1].keypoints - two[0].keypoints).mean() for two in (plain, smooth)]
    assert 0 < moved[1] < moved[0]


def test_errors(config):
    tasks = {'depth': {**config.model.tasks.depth, 'backbone': config.model.backbone}}
    with DefaultScope.overwrite_default_scope('mmseg'):
        with pytest.raises(ValueError, match=r"tasks \['depth'\]: set backbone"):
            MultitaskModel(config.model.backbone, tasks)
        tasks = {'depth': config.model.tasks.depth}
        with pytest.raises(ValueError, match=r"loss_weights of \['albedo'\], but the tasks are"):
            MultitaskModel(config.model.backbone, tasks, {'albedo': 1})
        model = MultitaskModel(config.model.backbone, tasks)
    with pytest.raises(ValueError, match='SharedFeatures holds no features'):
        model.tasks['depth'](torch.zeros(1, 3, 64, 48))


def test_window_of_a_person(tmp_path):
    sample = sample_of()
    sample['bbox'] = np.array([[10, 10, 30, 50]], np.float32)
    sample['img'][...] = 0
    sample['img'][28:33, 18:23] = 255
    sample['keypoints'][0, 0] = 20, 30
    still = dict(scale=(1.0, 1.0), shift=0, stretch=0, half_prob=0, rotate_prob=0, flip_prob=0)
    result = RandomPersonWarp(SIZE, map_stride=2, **still)(sample)
    # 50 rows around the middle (20, 30) fill 64: the box's middle is the input's.
    np.testing.assert_allclose(result['keypoints'][0, 0], [23.5, 31.5], atol=0.5)
    assert result['img'].shape == (*SIZE, 3) and result['img'][31, 23, 0] == 255
    for name in ('mask', 'gt_depth_map', 'gt_normal_map', 'gt_seg_map'):
        assert result[name].shape[:2] == (32, 24)
    mirrored = RandomPersonWarp(SIZE, map_stride=2, **{**still, 'flip_prob': 1.0})(
        {**sample_of(), 'bbox': sample['bbox']}
    )
    plain = RandomPersonWarp(SIZE, map_stride=2, **still)({**sample_of(), 'bbox': sample['bbox']})
    np.testing.assert_allclose(
        mirrored['gt_normal_map'], plain['gt_normal_map'][:, ::-1] * [-1, 1, 1], atol=1e-5
    )
    with pytest.raises(ValueError, match=r'no multiple of map_stride 3'):
        RandomPersonWarp(SIZE, map_stride=3)


def test_random_windows_hold_the_person_mostly():
    np.random.seed(0)
    warp = RandomPersonWarp(SIZE)
    box = np.array([100, 200, 140, 290], float)
    shares = []
    for _ in range(200):
        w = warp.draw_person(box)
        assert w.width > 0 and abs(w.height / w.width * 48 / 64 - 1) < 0.25
        middle = np.array([w.left + w.width / 2, w.top + w.height / 2])
        low, high = box[:2], box[2:]
        assert (middle > low - 0.1 * (high - low)).all() and (
            middle < high + 0.1 * (high - low)
        ).all()
        shares.append(w.height / 90)
    assert 0.4 < min(shares) < 1 < max(shares) < 2.2


def test_cropped_person_and_its_points_return_to_the_image():
    sample = {**sample_of(), 'bbox': np.array([[30, 40, 45, 70]], np.float32)}
    whole = sample['gt_depth_map'].copy()
    crop = CropPerson(SIZE)(sample)
    x, y = crop['crop_corner']
    height, width = crop['ori_shape']
    np.testing.assert_array_equal(crop['gt_depth_map'], whole[y : y + height, x : x + width])
    packed = PackMultitask()(ResizeImage(SIZE)(crop))['data_samples']
    scale = np.array(SIZE[::-1]) / (width, height)
    point = (np.array([35.0, 50.0]) - (x, y) + 0.5) * scale - 0.5
    back = point / packed.input_size * packed.input_scale + packed.input_center
    np.testing.assert_allclose(back - 0.5 * packed.input_scale, [35, 50])


def test_keypoints_weigh_by_group():
    weights = WeighKeypoints(body=3.0, face=0.5)({'keypoints_visible': np.ones((1, 308))})
    weights = weights['keypoints_visible'][0]
    assert [weights[i] for i in (0, 14, 41, 62)] == [3, 3, 3, 3]  # wrists are 41 and 62
    assert weights[15] == weights[30] == weights[69] == 1 and (weights[70:] == 0.5).all()
    with pytest.raises(ValueError, match='at least 0.5 for body, foot, face'):
        WeighKeypoints(body=0.1)


def test_what_a_model_does_not_have_is_refused(weights, config, model, tmp_path):
    small = Config(config._cfg_dict.copy())
    small.model = {**config.model, 'tasks': {'seg': config.model.tasks.seg}}
    with pytest.raises(ValueError, match='a multitask model for seg; it has no depth'):
        TASK_TABLE['depth'].load()(small, weights, device='cpu')
    with pytest.raises(ValueError, match='speed: no option of seg, pose, depth, normal'):
        MultitaskInferencer(config, weights, device='cpu', speed=3)
    single = Config({**config._cfg_dict, 'model': {**config.model.tasks.seg}})
    single.model.backbone = config.model.backbone
    single.model.data_preprocessor = config.model.data_preprocessor
    torch.save({'state_dict': model.task_state_dict('seg')}, tmp_path / 'seg.pth')
    with pytest.raises(ValueError, match='BodyPartSegmentor, not a multitask model'):
        MultitaskInferencer(single, tmp_path / 'seg.pth', device='cpu')


def test_the_model_in_the_box_sees_a_rendered_person():
    """The weights that travel with the suite, by name, on a person who was not rendered for them."""
    from sapiens_synth import get_preset, render_sample

    sample = render_sample(77, 6, get_preset('quickstart', framings=(0, 0, 1), detail='coarse'))
    x, y, w, h = sample['annotations'][0]['bbox']
    model = MultitaskInferencer('sapiens_tiny/multitask_synthetic', device='cpu')
    result = next(iter(model([sample['image']], boxes=[[[x, y, x + w, y + h]]], crops=True)))
    assert set(result.results) == set(TASKS)
    person = sample['mask'] > 0
    found = result['seg'].labels > 0
    filled = person.sum() / (w * h)  # overlap of the whole box
    assert (found & person).sum() / (found | person).sum() > filled
    truth = sample['normal'][person]
    cosine = (result['normal'].normal[person] * truth).sum(-1)
    assert cosine.mean() > truth[:, 2].mean()  # better than the normal that faces the camera
    points = np.reshape(sample['annotations'][0]['goliath_wholebody_kpts'], (308, 3))
    away = np.linalg.norm(result['pose'].keypoints[0] - points[:, :2], axis=1) / max(w, h)
    assert np.median(away[[0, 5, 6, 9, 10]]) < 0.1
