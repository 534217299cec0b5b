# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The multitask inferencer and its command: the results and files of the tasks themselves."""

import json
from fractions import Fraction

import cv2
import demo
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from sapiens_common.models import precision
from sapiens_inference.engine.pipeline import Pipeline
from sapiens_inference.engine.plan import make_plan
from sapiens_inference.inputs.sources import Inputs
from sapiens_inference.items import Frame, Item, Video
from sapiens_inference.tasks import DEFAULT_WEIGHTS
from sapiens_inference.tasks import TASKS as TASK_TABLE
from sapiens_multitask.apis import MultitaskInferencer
from sapiens_pose.apis import PoseInferencer

TASKS = ('pose', 'seg', 'depth', 'normal', 'matting')
BOXES = np.array([[2, 2, 20, 40], [25, 30, 48, 78]], np.float32)


def test_command(sample_of, weights, config, tmp_path, capsys):
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
        'matting/a.png',
    }
    summary = json.loads((tmp_path / 'out/summary.json').read_text())
    assert 'relative, without unit' in summary['models']['multitask']['output']
    assert len(summary['models']['multitask']['classes']) == 28
    assert demo.main(['multitask', *options]) == 2  # no shipped config to tell from the checkpoint
    assert 'name the config as the model' in capsys.readouterr().err


def test_options_on_the_command_line_reach_the_bundled_model(capsys):
    options = ['--keypoints', '17', '--kpt-thr', '0.6', '--convention', 'opencv']
    options += ['--background', 'white', '--mask', 'seg', '--weights', DEFAULT_WEIGHTS]
    options += ['--out', 'out', '--device', 'cpu']
    (built,), mask = demo.build(demo.parse_args(['multitask', 'a.jpg', *options]))
    assert mask is True  # its own segmentation gives it
    tasks = built.tasks
    assert len(tasks['pose'].selection.names) == 17 and tasks['pose'].kpt_thr == 0.6
    assert tasks['normal'].convention == 'opencv' and 'Y down' in tasks['normal'].output
    assert tasks['matting'].background_name == 'white'
    demo.build(demo.parse_args(['multitask', 'a.jpg', '--mask', 'none', *options[-6:]]))
    assert capsys.readouterr().err == 'note: --mask none does nothing: the model takes its own\n'


def test_the_mirrored_image_is_refused_by_name(config, weights, sample_of, capsys):
    arguments = ['all', 'a.jpg', '--out', 'out', '--device', 'cpu']
    assert demo.main([*arguments, '--flip-test']) == 2
    assert 'error: flip_test: the tasks share one encoder pass' in capsys.readouterr().err
    multitask = MultitaskInferencer(config, weights, device='cpu', flip_test=False)
    alone = PoseInferencer(multitask.loaded, flip_test=True)  # the way that the message names
    mirrored = alone(sample_of()['img'], boxes='image')[0]
    plain = multitask(sample_of()['img'])[0]['pose']  # which must not have learnt to mirror
    assert plain.scores.shape == mirrored.scores.shape
    assert not np.allclose(plain.scores, mirrored.scores)


def test_inferencer(sample_of, weights, config, tmp_path):
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
def test_one_task_alone_gives_what_all_give_together(sample_of, weights, config, task):
    """Its own inferencer takes the multitask model by name, and returns the same numbers."""
    image = sample_of(3)['img']
    all_tasks = MultitaskInferencer(config, weights, device='cpu')
    together = all_tasks(image, BOXES)[0][task]
    own = TASK_TABLE[task].load()(config, weights, device='cpu')
    alone = own(image, BOXES)[0]
    assert type(alone) is type(together)
    field = TASK_TABLE[task].result
    np.testing.assert_allclose(getattr(alone, field), getattr(together, field), atol=1e-4)
    whole = all_tasks(image)[0][task]
    for crops in (False, True):  # nobody's box: the whole image, without margins
        alone = own(image, 'image', **({} if task == 'pose' else {'crops': crops}))[0]
        np.testing.assert_allclose(getattr(alone, field), getattr(whole, field), atol=1e-4)


def test_people_at_the_border_are_seen_as_in_training(sample_of, weights, config):
    """With black beyond the border, as in a photo that has such margins."""
    image = sample_of(3)['img']
    height, width = image.shape[:2]
    boxes = np.array([[0, 4, 6, height], [width - 9, 0, width, 12]], float)
    wide = cv2.copyMakeBorder(image, 90, 90, 90, 90, cv2.BORDER_CONSTANT)
    model = MultitaskInferencer(config, weights, device='cpu')
    found, margins = model(image, boxes)[0], model(wide, boxes + 90)[0]
    np.testing.assert_allclose(found['pose'].keypoints, margins['pose'].keypoints - 90, atol=1e-3)
    for task in ('seg', 'depth', 'normal'):
        field = TASK_TABLE[task].result
        inside = getattr(margins[task], field)[90 : 90 + height, 90 : 90 + width]
        np.testing.assert_allclose(getattr(found[task], field), inside, atol=1e-4)


@pytest.mark.parametrize('fast', [True, False])
def test_the_default_precision_is_what_the_hardware_has(weights, config, monkeypatch, fast):
    monkeypatch.setattr(precision, 'has_fast_bfloat16', lambda device: fast)
    model = MultitaskInferencer(config, weights, device='cpu').loaded.model
    expected = torch.bfloat16 if fast else torch.float32
    heads = {
        name: task.head if name == 'pose' else task.decode_head
        for name, task in model.tasks.items()
        if name != 'matting'
    }
    layers = {name: head.deconv_layers[0] for name, head in heads.items()}
    layers['matting'] = model.tasks.matting.decode_head.conv_layers[0]
    layers['encoder'] = model.backbone.layers[0].attn.qkv
    assert {name: layer.weight.dtype for name, layer in layers.items()} == dict.fromkeys(
        layers, expected
    )


def test_smoothing_and_numbers_over_a_video(sample_of, weights, config):
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


def test_what_a_model_does_not_have_is_refused(weights, config, model, tmp_path):
    small = Config(config._cfg_dict.copy())
    small.model = {**config.model, 'tasks': {'seg': config.model.tasks.seg}}
    with pytest.raises(ValueError, match='a multitask model for seg; it has no depth'):
        TASK_TABLE['depth'].load()(small, weights, device='cpu')
    with pytest.raises(ValueError, match='speed: no option of seg, pose, depth, normal, matting'):
        MultitaskInferencer(config, weights, device='cpu', speed=3)
    single = Config({**config._cfg_dict, 'model': {**config.model.tasks.seg}})
    single.model.backbone = config.model.backbone
    single.model.data_preprocessor = config.model.data_preprocessor
    torch.save({'state_dict': model.task_state_dict('seg')}, tmp_path / 'seg.pth')
    with pytest.raises(ValueError, match='BodyPartSegmentor, not a multitask model'):
        MultitaskInferencer(single, tmp_path / 'seg.pth', device='cpu')


def test_the_bundled_model_sees_a_rendered_person():
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
    alpha, own = sample['alpha'] / 255, result['matting'].alpha
    assert abs(own - alpha).mean() < 0.5 * abs(alpha.mean() - alpha).mean()  # the mean alpha
    truth = sample['normal'][person]
    cosine = (result['normal'].normal[person] * truth).sum(-1)
    assert cosine.mean() > truth[:, 2].mean()  # better than the normal that faces the camera
    points = np.reshape(sample['annotations'][0]['goliath_wholebody_kpts'], (308, 3))
    away = np.linalg.norm(result['pose'].keypoints[0] - points[:, :2], axis=1) / max(w, h)
    assert np.median(away[[0, 5, 6, 9, 10]]) < 0.1
