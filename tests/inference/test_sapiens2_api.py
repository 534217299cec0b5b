# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Points, albedo and mattes of images: what results hold, files, pictures and exports."""

import json

import cv2
import demo
import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from sapiens_common.checkpoint_names import to_published
from sapiens_depth_normal.colour_apis import (
    AlbedoInferencer,
    MattingInferencer,
    MattingResult,
    read_background,
)
from sapiens_depth_normal.geometry import depth_to_points
from sapiens_depth_normal.pointmap_api import PointmapInferencer, PointmapResult
from sapiens_inference.guess import guess_config
from sapiens_inference.loading import named_tasks
from sapiens_inference.outputs.export import export_model
from sapiens_inference.outputs.exports import export_run
from sapiens_inference.outputs.results import Source
from sapiens_inference.tasks import TASKS

KINDS = {'pointmap': PointmapInferencer, 'albedo': AlbedoInferencer, 'matting': MattingInferencer}


@pytest.fixture(scope='module')
def engines(small_config, small_checkpoint):
    return {
        task: kind(small_config(task), small_checkpoint(task), device='cpu')
        for task, kind in KINDS.items()
    }


def network_maps(engine, image, fitted, padding):
    """What the network says of an image, resized and padded in a few lines."""
    left, right, top, bottom = padding
    small = cv2.resize(image, fitted[::-1], interpolation=cv2.INTER_LINEAR)
    small = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT)
    rgb = torch.from_numpy(small[..., ::-1].copy()).permute(2, 0, 1)[None].float()
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
    with torch.no_grad():
        return engine.loaded.model((rgb - mean) / std, mode='tensor')


def test_points_are_metres_of_the_unpadded_image(engines, photo):
    image = photo(3, 32, 48)  # twice as wide as the input for its height: padded above and below
    result = engines['pointmap'](image)[0]
    points, scale = network_maps(engines['pointmap'], image, (32, 48), (0, 0, 16, 16))
    expected = (points / scale[:, :, None, None])[0, :, 16:48].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(result.points, expected, rtol=1e-4, atol=1e-4)
    # The canonical focal length is the width of the recipe's input at a scale of one.
    assert result.focal == pytest.approx(96 / scale.item(), rel=1e-4)
    larger = engines['pointmap'](cv2.resize(image, (96, 64), interpolation=cv2.INTER_LINEAR))[0]
    assert larger.points.shape == (64, 96, 3)
    np.testing.assert_array_equal(result.depth, result.points[..., 2])


def test_boxes_do_not_cut_a_pointmap(engines, photo):
    image = photo(3, 60, 80)
    whole = engines['pointmap'](image)[0]
    cut = engines['pointmap'](image, np.array([[10, 10, 40, 50.0]]), crops=True)[0]
    np.testing.assert_array_equal(cut.points, whole.points)


def test_albedo_is_the_networks(engines, photo):
    image = photo(4, 64, 32)
    result = engines['albedo'](image)[0]
    maps = network_maps(engines['albedo'], image, (64, 32), (8, 8, 0, 0)).clamp(0, 1)
    expected = maps[0, :, :, 8:40].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(result.albedo, expected, atol=1e-4)


def test_crops_of_colours_are_put_back(engines, photo):
    image, boxes = photo(5, 100, 160), np.array([[10, 20, 50, 80.0]])
    for task, field in (('albedo', 'albedo'), ('matting', 'alpha')):
        values = getattr(engines[task](image, boxes)[0], field)
        assert values.shape[:2] == (100, 160)
        assert (values[:, 120:] == 0).all() and values[30:70, 20:40].any()
        nobody = getattr(engines[task](image, np.zeros((0, 4)), crops=True)[0], field)
        assert nobody.shape == values.shape and not nobody.any()


def matte(alpha=0.25):
    """One pixel of a known colour, one empty one."""
    foreground = np.array([[[0.2, 0.1, 0.05], [0, 0, 0]]], np.float32)
    return MattingResult(Source('a', 0), np.array([[alpha, 0]], np.float32), foreground)


def test_straight_colours_and_composites(tmp_path):
    result = matte()
    np.testing.assert_array_equal(result.cutout()[0, 0], [204, 102, 51, 64])
    over = result.over(np.array([100, 0, 200], np.uint8))  # BGR
    np.testing.assert_array_equal(over[0], [[88, 26, 201], [100, 0, 200]])
    result.save(tmp_path / 'a')
    assert np.array(Image.open(tmp_path / 'a.png')).shape == (1, 2, 4)
    np.testing.assert_array_equal(result.person_mask(), [[False, False]])
    assert matte(0.8).person_mask()[0, 0]


def test_backgrounds(tmp_path, small_config, small_checkpoint, photo):
    np.testing.assert_array_equal(read_background('red'), [0, 0, 255])
    picture = np.zeros((10, 40, 3), np.uint8)
    picture[:, 20:] = 200
    cv2.imwrite(str(tmp_path / 'wall.png'), picture)
    engine = MattingInferencer(
        small_config('matting'),
        small_checkpoint('matting'),
        device='cpu',
        background=str(tmp_path / 'wall.png'),
    )
    image = photo(1, 60, 60)
    engine(image, out_dir=tmp_path / 'out')
    found = cv2.imread(str(next((tmp_path / 'out/matting').glob('*.jpg'))))
    assert found.shape == image.shape
    with pytest.raises(ValueError, match="'plaid' is neither a colour such as 'white'"):
        read_background('plaid')


def test_colours_of_the_photo(small_config, small_checkpoint, photo):
    config = small_config('matting')
    config.model.test_cfg = dict(colours='photo')
    image = photo(1, 60, 60)
    result = MattingInferencer(config, small_checkpoint('matting'), device='cpu')(image)[0]
    assert result.alpha.max() > 0.1
    expected = image[..., ::-1] / 255 * result.alpha[..., None]
    np.testing.assert_allclose(result.foreground, expected, atol=1e-6)
    # Straight colours are those of the photo, up to the rounding of 8 bits.
    assert np.abs(result.cutout()[..., :3].astype(int) - image[..., ::-1]).max() <= 1


@pytest.mark.parametrize('task', list(KINDS))
def test_files_pictures_and_json(engines, photo, tmp_path, task):
    mask = np.zeros((50, 70), np.uint8)
    mask[10:40, 20:50] = 255
    engine = engines[task]
    result = engine(photo(2, 50, 70), masks=mask, out_dir=tmp_path, legend=True)[0]
    folder = tmp_path / task
    written = {path.suffix for path in folder.glob('*') if path.stem == result.source.name}
    assert written == {*engine.result_type.suffixes, '.jpg'}
    again = type(result).from_dict(json.loads(json.dumps(result.to_dict())))
    field = TASKS[task].result
    np.testing.assert_array_equal(getattr(again, field), getattr(result, field))
    if task == 'pointmap':
        with np.load(folder / f'{result.source.name}.npz') as content:
            np.testing.assert_array_equal(content['points'], result.points)
            assert content['focal'] == np.float32(result.focal)
            np.testing.assert_array_equal(content['mask'], mask > 0)
    (tmp_path / 'broken.jpg').write_bytes(b'no photo')
    broken = engine(str(tmp_path / 'broken.jpg'))[0]
    assert not broken.ok and getattr(broken, field).size == 0


def test_clouds_of_a_run(engines, photo, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), photo(2, 50, 70))
    engines['pointmap'](str(tmp_path / 'a.png'), out_dir=tmp_path / 'out')
    export_run(tmp_path / 'out', ['ply', 'glb'], images=tmp_path / 'a.png')
    with np.load(tmp_path / 'out/pointmap/a.npz') as content:
        points = content['points'].reshape(-1, 3)
    cloud = trimesh.load(tmp_path / 'out/exports/ply/a.ply')
    np.testing.assert_allclose(cloud.vertices, points * [1, -1, -1], rtol=1e-5)
    assert (tmp_path / 'out/exports/glb/a.glb').is_file()


def test_the_command_writes_all_named_tasks(small_config, small_checkpoint, photo, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), photo(2, 50, 70))
    arguments = ['--weights', *(f'{task}={small_checkpoint(task)}' for task in KINDS), '--model']
    for task in KINDS:
        small_config(task).dump(tmp_path / f'{task}.py')
        arguments.append(f'{task}={tmp_path / task}.py')
    out = tmp_path / 'out'
    options = ['--mask', 'none', '--background', 'white', '--export', 'cutouts', '--quiet']
    code = demo.main(['all', str(tmp_path / 'a.png'), '--out', str(out), *arguments, *options])
    assert code == 0
    for name in ('pointmap/a.npz', 'albedo/a.png', 'matting/a.png', 'sheet/a.jpg'):
        assert (out / name).is_file(), name
    assert Image.open(out / 'exports/cutouts/a.png').mode == 'RGBA'


def test_tasks_named_by_weights():
    assert named_tasks(['sapiens_1b']) == ['seg', 'pose', 'depth', 'normal']
    assert named_tasks(['sapiens2_1b']) == ['seg', 'pose', 'normal', 'pointmap', 'matting']
    assert named_tasks(['albedo=a.pth', 'pose=p.pth']) == ['pose', 'albedo']
    with pytest.raises(ValueError, match='names no task: give TASK=FILE for each of seg, pose'):
        named_tasks(['a.pth'])


@pytest.mark.parametrize('task', ['pose', 'seg', 'normal', 'pointmap', 'albedo', 'matting'])
def test_published_files_name_their_config(sapiens2_keys, task):
    """The shapes of a published 1b file, without its blocks, tell size and task."""
    shapes = {
        name: shape
        for name, shape in sapiens2_keys(task, '1b').items()
        if 'blocks' not in name or 'upsample_blocks' in name or '.blocks.0.' in name
    }
    tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
    data = {'matting': 'p3m', 'pose': 'goliath', 'seg': 'goliath'}.get(task, 'render_people')
    config = guess_config('published.pth', task, tensors)
    assert config.parts[-2:] == (task, f'sapiens2_1b_{data}.py')


def test_a_published_name_loads(small_config, small_model, tmp_path):
    """Files with Meta's names of the output layer load like ours."""
    for task, kind in KINDS.items():
        tensors = to_published(small_model(task).state_dict(), lambda value: tuple(value.shape))
        assert f'decode_head.conv_{task}.weight' in tensors
        torch.save(tensors, tmp_path / 'published.pth')
        kind(small_config(task), tmp_path / 'published.pth', device='cpu')


def test_a_pointmap_model_is_exported_in_metres(small_model, tmp_path):
    model = small_model('pointmap')
    assert export_model(model, tmp_path / 'm.pt2', 'torchscript', (64, 48)) < 1e-4
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        points, scale = model(images, mode='tensor')
    found = torch.jit.load(str(tmp_path / 'm.pt2'))(images)
    torch.testing.assert_close(found, points / scale[:, :, None, None], rtol=1e-4, atol=1e-4)


def test_a_plane_has_the_focal_length_of_its_camera():
    """The axes of results: the same as of the depth they come from, with y and z turned."""
    camera = np.array([[50.0, 0, 20], [0, 50, 15], [0, 0, 1]])
    points = depth_to_points(np.full((30, 40), 2.0), camera) * [1, -1, -1]
    result = PointmapResult(Source('a', 0), points.astype(np.float32), 50.0)
    assert (result.depth == 2).all()
    assert result.points[0, 0, 0] < 0 and result.points[0, 0, 1] < 0  # left and above
