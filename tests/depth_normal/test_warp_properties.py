# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What must hold for every warp of an image with its maps, labels and keypoints, tried on random ones."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sapiens_depth_normal.models.losses import GradientMatchingLoss, MaskedSiLogLoss, PixelL1Loss
from sapiens_depth_normal.transforms import RandomWarp
from sapiens_depth_normal.transforms.warp import Warp

few = settings(max_examples=25, deadline=None)
SIZE = (48, 36)
warps = st.builds(
    Warp,
    left=st.floats(-10, 30),
    top=st.floats(-10, 40),
    width=st.floats(15, 80),
    height=st.floats(20, 100),
    factor=st.floats(0.25, 2),
    angle=st.floats(-90, 90),
    flip=st.booleans(),
)


def sample_of(shape, points):
    """Maps that hold their own coordinates, so that they can be compared with keypoints."""
    rows, columns = np.indices(shape).astype(np.float32)
    count = points.shape[1]
    return {
        'img': np.zeros((*shape, 3), np.uint8),
        'mask': np.ones(shape, np.uint8),
        'gt_depth_map': columns,
        'gt_normal_map': np.dstack([rows, columns, rows * 0 + 1]),
        'gt_seg_map': (rows % 3).astype(np.uint8),
        'swap_pairs': [(1, 2)],
        'keypoints': points,
        'keypoints_visible': np.ones((1, count), np.float32),
        'flip_indices': list(range(count)),
    }


@given(
    warp=warps,
    points=arrays(np.float32, (1, 6, 2), elements=st.floats(1, 50, width=32)),
)
@few
def test_maps_follow_the_keypoints(warp, points):
    """Where a keypoint lands, the map holds the column that the keypoint came from."""
    results = RandomWarp(SIZE).apply(sample_of((64, 52), points), warp)
    step = max(warp.width / SIZE[1], warp.height / SIZE[0])  # source pixels per pixel of the output
    for before, after, visible in zip(
        points[0], results['keypoints'][0], results['keypoints_visible'][0], strict=True
    ):
        if not visible:
            continue
        column, row = np.rint(after).astype(int)
        if results['mask'][row, column]:
            assert abs(results['gt_depth_map'][row, column] - before[0]) < 1 + 1.5 * step


@given(shape=st.tuples(st.integers(20, 90), st.integers(20, 90)), seed=st.integers(0, 2**32 - 1))
@few
def test_drawn_windows_lie_in_the_image(shape, seed):
    np.random.seed(seed)
    transform = RandomWarp(SIZE, scale=(0.2, 2.0), rotate_prob=0.0)
    warp = transform.draw(shape)
    assert warp.left >= -1e-6 and warp.left + warp.width <= shape[1] + 1e-6
    assert warp.top >= -1e-6 and warp.top + warp.height <= shape[0] + 1e-6
    results = transform.apply(sample_of(shape, np.ones((1, 2, 2), np.float32)), warp)
    assert results['mask'].all()  # without a rotation every pixel comes from the image


@given(
    labels=arrays(np.uint8, SIZE, elements=st.sampled_from([0, 1, 2, 3, 255])),
    depth=arrays(np.float32, SIZE, elements=st.floats(0, 9, width=32)),
    points=arrays(np.float32, (1, 4, 2), elements=st.floats(0, 35, width=32)),
)
@few
def test_mirroring_twice_gives_everything_back(labels, depth, points):
    transform, mirror = RandomWarp(SIZE), Warp(0, 0, SIZE[1], SIZE[0], flip=True)
    normals = np.dstack([depth, depth, np.ones_like(depth)])
    sample = {
        'img': np.repeat(labels[..., None], 3, 2),
        'mask': (labels != 0).astype(np.uint8),
        'gt_depth_map': depth,
        'gt_normal_map': normals,
        'gt_seg_map': labels,
        'swap_pairs': [(1, 2)],
        'keypoints': points,
        'keypoints_visible': np.ones((1, 4), np.float32),
        'flip_indices': [1, 0, 3, 2],
    }
    before = {key: np.copy(value) for key, value in sample.items()}
    once = transform.apply(sample, mirror)
    partners = before['keypoints'][0, [1, 0, 3, 2]] * [-1, 1] + [SIZE[1] - 1, 0]
    np.testing.assert_allclose(once['keypoints'][0], partners, atol=1e-4)
    np.testing.assert_array_equal(once['gt_seg_map'] == 1, (before['gt_seg_map'] == 2)[:, ::-1])
    twice = transform.apply(once, mirror)
    for key in ('img', 'mask', 'gt_depth_map', 'gt_normal_map', 'gt_seg_map', 'keypoints_visible'):
        np.testing.assert_array_equal(twice[key], before[key], err_msg=key)
    np.testing.assert_allclose(twice['keypoints'], before['keypoints'], atol=1e-4)


@given(warp=warps)
@few
def test_unit_normals_stay_unit_normals(warp):
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(64, 52, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    sample = sample_of((64, 52), np.ones((1, 1, 2), np.float32)) | {'gt_normal_map': normals}
    results = RandomWarp(SIZE).apply(sample, warp)
    inside = results['mask'] > 0
    lengths = np.linalg.norm(results['gt_normal_map'], axis=2)
    np.testing.assert_allclose(lengths[inside], 1, atol=1e-5)


@given(
    values=arrays(np.float32, (2, 1, 8, 6), elements=st.floats(0.125, 4, width=32)),
    wrong=st.floats(0.0, 9.0, width=32),
    seed=st.integers(0, 99),
)
@few
def test_losses_do_not_see_beyond_the_mask(values, wrong, seed):
    mask = torch.rand(2, 1, 8, 6, generator=torch.Generator().manual_seed(seed)) > 0.4
    target = torch.from_numpy(values)
    for loss in (MaskedSiLogLoss(), PixelL1Loss(), GradientMatchingLoss(log=False)):
        pred = (target.flip(0) + 0.5).requires_grad_()
        value = loss(pred, target, mask)
        value.backward()
        assert (pred.grad[~mask] == 0).all()
        spoilt = torch.where(mask, pred.detach(), torch.tensor(wrong))
        torch.testing.assert_close(loss(spoilt, target, mask), value.detach())
        assert loss(target, target, mask) == 0
