# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What must hold for all keypoints, boxes and heatmaps in our codec and transforms, tried on random ones."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mmpose.codecs import UDPHeatmap as MMPoseUDPHeatmap

from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_pose.codecs import BatchedUDPHeatmap
from sapiens_pose.layouts import convert_keypoints
from sapiens_pose.transforms import DecodeTopdownAffine, PackKeypoints

few = settings(max_examples=25, deadline=None)
CODEC = BatchedUDPHeatmap((48, 64), (24, 32), sigma=2)
STRIDE = np.array(
    [47 / 23, 63 / 31]
)  # pixels of the input per pixel of the heatmap, corners aligned


def points_between(low, high, count=5):
    """(1, count, 2) positions as shares of the heatmap."""
    return arrays(np.float32, (1, count, 2), elements=st.floats(low, high, width=32))


@given(shares=points_between(0.3125, 0.6875))
@few
def test_decoding_undoes_encoding(shares):
    points = shares * np.float32([48, 64])  # clear of the border, where the blur moves the peak
    maps, weights = CODEC.encode_batch(torch.from_numpy(points), torch.ones(1, 5))
    found, scores = CODEC.batch_decode(maps)
    # `scale_factor` of UDP aligns corners, decoding scales by the size: they differ by half a cell at most.
    assert np.abs(found[0][0] - points[0]).max() < 0.5 * STRIDE.max()
    assert (weights == 1).all() and (scores[0] > 0.75).all()


@given(
    points=arrays(np.float32, (2, 4, 2), elements=st.floats(-100, 150, width=32)),
    visible=arrays(np.float32, (2, 4), elements=st.sampled_from([0.0, 0.25, 0.75, 1.0])),
)
@few
def test_targets_of_a_batch_are_upstreams_of_each_person(points, visible):
    maps, weights = CODEC.encode_batch(torch.from_numpy(points), torch.from_numpy(visible))
    upstream = MMPoseUDPHeatmap((48, 64), (24, 32), sigma=2)
    for person in range(2):
        one = upstream.encode(points[person : person + 1], visible[person : person + 1])
        np.testing.assert_allclose(maps[person], one['heatmaps'], atol=1e-6)
        np.testing.assert_array_equal(weights[person], one['keypoint_weights'][0])


@given(shares=points_between(0.40625, 0.59375), dx=st.integers(-3, 3), dy=st.integers(-3, 3))
@few
def test_moving_the_maps_moves_the_points(shares, dx, dy):
    points = torch.from_numpy(shares * np.float32([48, 64]))
    maps, _ = CODEC.encode_batch(points, torch.ones(1, 5))
    moved = torch.roll(maps, (dy, dx), (2, 3))
    before, after = CODEC.decode_relative(maps)[0], CODEC.decode_relative(moved)[0]
    expected = before + torch.tensor([dx / 23, dy / 31])
    torch.testing.assert_close(after, expected, atol=1e-4, rtol=0)


@given(shares=points_between(0.3125, 0.6875))
@few
def test_mirroring_the_maps_mirrors_the_points(shares):
    points = torch.from_numpy(shares * np.float32([48, 64]))
    maps, _ = CODEC.encode_batch(points, torch.ones(1, 5))
    before, after = CODEC.decode_relative(maps)[0], CODEC.decode_relative(maps.flip(-1))[0]
    # Between two pixels of one value the first is the maximum; the step is the same from either.
    torch.testing.assert_close(after[..., 0], 1 - before[..., 0], atol=2e-3, rtol=0)
    torch.testing.assert_close(after[..., 1], before[..., 1], atol=1e-4, rtol=0)


@given(
    centre=st.tuples(st.floats(0, 300), st.floats(0, 200)),
    width=st.floats(20, 400),
    rotation=st.floats(-180, 180),
    points=arrays(np.float32, (1, 4, 2), elements=st.floats(-50, 350, width=32)),
    order=st.permutations(range(4)),
)
@few
def test_a_crop_turns_and_scales_around_the_middle_of_its_box(
    centre, width, rotation, points, order
):
    def crop(keypoints):
        return DecodeTopdownAffine((48, 64), use_udp=True).transform(
            {
                'img': np.zeros((200, 300, 3), np.uint8),
                'bbox_center': np.float32([centre]),
                'bbox_scale': np.float32([[width, width * 4 / 3]]),
                'bbox_rotation': np.float32([rotation]),
                'keypoints': keypoints.copy(),
                'keypoints_visible': np.ones((1, 4), np.float32),
            }
        )

    results = crop(points)
    assert results['img'].shape == (64, 48, 3)
    found = results['transformed_keypoints'][0].astype(np.float64)
    moved = points[0].astype(np.float64) - np.float32(centre)
    # The middle of the box is the middle of the input; around it all is turned, then each axis scaled.
    turned = (moved @ [1, 1j]) * np.exp(1j * np.radians(rotation))
    scale = np.array([47 / width, 63 / (width * 4 / 3)])
    expected = np.stack([turned.real, turned.imag], 1) * scale + [23.5, 31.5]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=0.01)
    again = crop(points[:, list(order)])['transformed_keypoints'][0]
    np.testing.assert_allclose(again, found[list(order)], atol=1e-3)


@given(
    points=arrays(np.float32, (2, 308, 2), elements=st.floats(0, 999, width=32)),
    scores=arrays(np.float32, (2, 308), elements=st.floats(0, 1, width=32)),
)
@settings(max_examples=10, deadline=None)
def test_17_points_are_those_of_the_same_name(points, scores):
    names = [point['name'] for point in load_goliath308()['keypoints']]
    found, found_scores, missing = convert_keypoints(points, scores, 'coco')
    nose, ankle = names.index('nose'), names.index('right_ankle')
    assert missing == [] and found.shape == (2, 17, 2)
    np.testing.assert_array_equal(found[:, [0, 16]], points[:, [nose, ankle]])
    np.testing.assert_array_equal(found_scores[:, [0, 16]], scores[:, [nose, ankle]])


@given(
    points=arrays(np.float32, (1, 6, 2), elements=st.floats(-20, 80, width=32)),
    visible=arrays(np.float32, (1, 6), elements=st.sampled_from([0.0, 1.0])),
)
@few
def test_packing_loses_no_point_and_no_pixel(points, visible):
    image = np.arange(64 * 48 * 3, dtype=np.uint8).reshape(64, 48, 3)
    packed = PackKeypoints(meta_keys=()).transform(
        {
            'img': image,
            'transformed_keypoints': points.astype(np.float64),
            'keypoints_visible': visible,
        }
    )
    labels = packed['data_samples'].gt_instance_labels
    np.testing.assert_array_equal(labels.keypoints, points)
    np.testing.assert_array_equal(labels.keypoint_weights, visible)
    np.testing.assert_array_equal(packed['inputs'].permute(1, 2, 0), image)
