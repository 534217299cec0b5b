# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Warped renders equal renders of the warped scene: three spheres seen by a parallel camera."""

import cv2
import numpy as np
import pytest
from mmengine.registry import TRANSFORMS

from sapiens_depth_normal.transforms import RandomWarp, ResizeImage
from sapiens_depth_normal.transforms.warp import Warp

SIZE = (96, 72)
SPHERES = np.array([[20.0, 24.0, 16.0], [50.0, 40.0, 12.0], [30.0, 70.0, 18.0]])  # x, y, radius


def render(spheres, size, stretch=(1.0, 1.0)):
    """Photo, mask, depth, normals and labels of spheres (x, y, radius); radii are before stretching."""
    rows, columns = np.indices(size) + 0.5
    depth = np.full(size, np.inf)
    normals = np.zeros((*size, 3))
    labels = np.zeros(size, np.uint8)
    for label, (x, y, radius) in enumerate(spheres, 1):
        dx, dy = (columns - x) / stretch[0] / radius, (y - rows) / stretch[1] / radius
        height = np.sqrt(np.maximum(1 - dx**2 - dy**2, 0))
        nearer = (height > 0) & (100 - radius * height < depth)
        depth[nearer] = (100 - radius * height)[nearer]
        normals[nearer] = np.stack([dx, dy, height], -1)[nearer]
        labels[nearer] = label
    mask = np.isfinite(depth)
    # Lambertian shading from the camera's direction does not change when the camera rolls.
    shade = np.where(mask, 40 + 200 * normals[..., 2], 20)
    return dict(
        swap_pairs=(),
        img=np.repeat(shade[..., None], 3, -1).astype(np.uint8),
        mask=mask.astype(np.uint8),
        gt_depth_map=np.where(mask, depth, 0).astype(np.float32),
        gt_normal_map=normals.astype(np.float32),
        gt_seg_map=labels,
    )


def truth_of(warp):
    """The scene as the warped camera sees it, by moving the spheres instead of the pixels."""
    sx, sy = SIZE[1] / warp.width, SIZE[0] / warp.height
    x, y = (SPHERES[:, 0] - warp.left) * sx, (SPHERES[:, 1] - warp.top) * sy
    turned = np.exp(1j * np.radians(warp.angle)) * (x - SIZE[1] / 2 - 1j * (y - SIZE[0] / 2))
    x, y = turned.real * (-1 if warp.flip else 1) + SIZE[1] / 2, SIZE[0] / 2 - turned.imag
    return render(np.stack([x, y, SPHERES[:, 2]], 1), SIZE, (sx, sy))


def whole(**kwargs):
    return Warp(0, 0, SIZE[1], SIZE[0], **kwargs)


@pytest.mark.parametrize(
    'warp',
    [
        pytest.param(whole(), id='identity'),
        pytest.param(whole(flip=True), id='flip'),
        pytest.param(whole(angle=90), id='quarter turn'),
        pytest.param(whole(angle=33), id='turn left'),
        pytest.param(whole(angle=-60, flip=True), id='turn right, then flip'),
        pytest.param(Warp(9.5, 20.25, 36, 48), id='crop, enlarge'),
        pytest.param(Warp(4, 30, 60, 40), id='crop, stretch'),
        pytest.param(Warp(12, 8, 30, 40, angle=20, flip=True), id='all, one scale'),
    ],
)
def test_equals_render_of_warped_scene(warp):
    result = RandomWarp(SIZE).apply(render(SPHERES, SIZE), warp)
    truth = truth_of(warp)
    # Maps take the nearest pixel, so they are off by up to half a source pixel; near the outlines,
    # where a sphere turns away, that is much, hence only inner pixels are compared.
    inner = (result['mask'] > 0) & (truth['mask'] > 0) & (truth['gt_normal_map'][..., 2] > 0.5)
    inner &= result['gt_seg_map'] == truth['gt_seg_map']
    agree = (result['gt_seg_map'] == truth['gt_seg_map'])[result['gt_seg_map'] != 255]
    exact = warp.angle % 90 == 0 and warp.width == SIZE[1]
    assert agree.mean() > (0.999 if exact else 0.97)
    assert inner.mean() > 0.1
    # 0.7 source pixels (the half diagonal) on a sphere of radius 12 turn its normal by 3.4 degrees.
    cosine = (result['gt_normal_map'] * truth['gt_normal_map']).sum(-1)[inner]
    angle = np.degrees(np.arccos(cosine.clip(-1, 1)))
    depth = np.abs(result['gt_depth_map'] - truth['gt_depth_map'])[inner]
    shade = np.abs(result['img'].astype(int) - truth['img'])[inner]
    assert angle.max() < (0.1 if exact else 8) and angle.mean() < (0.1 if exact else 2.5)
    assert depth.max() < (1e-4 if exact else 1.3) and depth.mean() < 0.3
    assert shade.mean() < (0.1 if exact else 2)
    # No bias: nearest-pixel errors point everywhere alike.
    bias = (result['gt_normal_map'] - truth['gt_normal_map'])[inner].mean(0)
    assert np.abs(bias).max() < 0.02  # OpenCV 4 rounds the nearest pixel's place to 1/1024 first
    np.testing.assert_allclose(
        np.linalg.norm(result['gt_normal_map'][result['mask'] > 0], axis=1), 1, atol=1e-5
    )


def test_detail_of_the_image_follows_the_factor():
    scene = render(SPHERES, SIZE)
    random = np.random.default_rng(0)
    scene['img'] = random.integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    sharp = RandomWarp(SIZE).apply(dict(scene), whole())['img']
    blurred = RandomWarp(SIZE).apply(dict(scene), whole(factor=0.25))['img']
    assert np.array_equal(sharp, scene['img'])
    assert blurred.std() < 0.5 * sharp.std()
    smooth = render(SPHERES, SIZE)
    halved = RandomWarp(SIZE).apply(dict(smooth), whole(factor=0.5))['img']
    inner = smooth['gt_normal_map'][..., 2] > 0.5  # no half-pixel shift by the detour
    assert np.abs(halved.astype(float) - smooth['img'])[inner].mean() < 2


def test_draws_follow_the_recipe():
    np.random.seed(0)
    warp = RandomWarp((1024, 768), scale=(0.2, 2.0), rotate_prob=0.5, max_angle=60, flip_prob=0.5)
    draws = [warp.draw((4096, 3072)) for _ in range(2000)]
    factors = np.array([draw.factor for draw in draws])
    angles = np.array([draw.angle for draw in draws])
    assert 0.05 <= factors.min() < 0.06 and 0.49 < factors.max() <= 0.5
    assert 0.45 < (angles != 0).mean() < 0.55 and np.abs(angles).max() <= 60
    assert 0.45 < np.mean([draw.flip for draw in draws]) < 0.55
    for draw in draws:
        assert draw.left >= -1e-6 and draw.left + draw.width <= 3072 + 1e-6
        assert draw.top >= -1e-6 and draw.top + draw.height <= 4096 + 1e-6
        # At most the window of the recipe, at the drawn scale; all of it where there is less.
        np.testing.assert_allclose(draw.width, min(3072, 768 / draw.factor))
        np.testing.assert_allclose(draw.height, min(4096, 1024 / draw.factor))


def test_flip_swaps_labels_and_twice_is_identity():
    scene = render(SPHERES, SIZE)
    scene['swap_pairs'] = [(1, 3)]
    warp = RandomWarp(SIZE)
    once = warp.apply(dict(scene), whole(flip=True))
    expected = np.array([0, 3, 2, 1])[scene['gt_seg_map'][:, ::-1]]
    assert np.array_equal(once['gt_seg_map'], expected)
    twice = warp.apply(once, whole(flip=True))
    for key, value in scene.items():
        assert np.array_equal(twice[key], value), key


def test_resize_keeps_targets():
    scene = render(SPHERES, SIZE)
    size = (120, 60)
    result = ResizeImage(size)(dict(scene))
    assert result['img'].shape == (*size, 3) and result['img_shape'] == size
    for key in ('mask', 'gt_depth_map', 'gt_normal_map', 'gt_seg_map'):
        assert result[key] is scene[key]
    # The image shows the stretched scene: no shift by a half pixel, which the edges would show.
    stretch = (size[1] / SIZE[1], size[0] / SIZE[0])
    truth = render(SPHERES * (*stretch, 1), size, stretch)
    inner = truth['gt_normal_map'][..., 2] > 0.3
    error = result['img'][..., 0].astype(int) - truth['img'][..., 0]
    assert np.abs(error[inner]).mean() < 1.5 and abs(error[inner].mean()) < 0.7


def test_resize_without_aliases():
    """Stripes of one pixel become grey; without antialiasing they stay stripes of another width."""
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[:, ::2] = 200
    smooth = ResizeImage((10, 10), antialias=True)({'img': stripes})['img']
    assert smooth.min() == smooth.max() == 100
    assert ResizeImage((11, 11))({'img': stripes})['img'].std() > 20
    # What grows is not made of blocks.
    edge = ResizeImage((80, 80), antialias=True)({'img': stripes})['img']
    np.testing.assert_array_equal(edge, ResizeImage((80, 80))({'img': stripes})['img'])


def test_errors():
    with pytest.raises(ValueError, match=r'probabilities must be in \[0, 1\], got 1\.5 and 0\.5'):
        RandomWarp(SIZE, rotate_prob=1.5)
    with pytest.raises(ValueError, match='scale must be'):
        RandomWarp(SIZE, scale=(2, 1))


def test_background_and_colour_leave_the_geometry(tmp_path):
    """What changes pixels only: the person stays where the targets say, the targets stay as they are."""
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((50, 50, 3), (0, 255, 0), np.uint8))
    scene = render(SPHERES, SIZE)
    steps = [
        dict(
            type='sapiens_common.RandomBackground',
            prob=1.0,
            folder=str(tmp_path),
            match_colors=False,
        ),
        dict(type='sapiens_common.ColourDistortion'),
    ]
    person = scene['mask'] > 0
    replaced = TRANSFORMS.build(steps[0])({**scene, 'img': scene['img'].copy()})
    assert (replaced['img'][~person] == (0, 255, 0)).all()
    np.testing.assert_array_equal(replaced['img'][person], scene['img'][person])
    shade = scene['img'][person][:, 0].astype(float)
    np.random.seed(0)
    for _ in range(5):
        colored = TRANSFORMS.build(steps[1])({**scene, 'img': scene['img'].copy()})
        for key in ('mask', 'gt_depth_map', 'gt_normal_map'):
            np.testing.assert_array_equal(colored[key], scene[key])
        # The shading still tells the slope: brighter where the surface faces the camera.
        grey = colored['img'][person].astype(float).mean(1)
        assert np.corrcoef(grey, shade)[0, 1] > 0.8  # clipping at white takes some away
