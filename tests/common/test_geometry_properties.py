# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What must hold for all boxes, keypoints, warps and heatmaps, tried on random ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

bbox = pytest.importorskip('mmpose.structures.bbox')
from mmpose.structures.keypoint import flip_keypoints  # noqa: E402

from sapiens_common.layouts.own import find_metainfo_problems, make_metainfo  # noqa: E402
from sapiens_common.layouts.sides import mirrored_name  # noqa: E402
from sapiens_pose.layouts import goliath308_metainfo  # noqa: E402
from sapiens_pose.registry import KEYPOINT_CODECS  # noqa: E402

coordinate = st.floats(-500, 2000, allow_nan=False, width=32)
length = st.floats(4, 800, width=32)
angle = st.floats(-180, 180, width=32)


@given(x=coordinate, y=coordinate, width=length, height=length)
def test_boxes_survive_both_forms(x, y, width, height):
    box = np.array([[x, y, x + width, y + height]], np.float32)
    again = bbox.bbox_xywh2xyxy(bbox.bbox_xyxy2xywh(box.copy()))
    assert np.allclose(box, again, atol=1e-3)
    center, scale = bbox.bbox_xyxy2cs(box.copy(), padding=1.0)
    assert np.allclose(bbox.bbox_cs2xyxy(center, scale, padding=1.0), box, atol=1e-2)


@given(
    x=coordinate,
    y=coordinate,
    width=length,
    rotation=angle,
    points=arrays(np.float32, (5, 2), elements=st.floats(0, 1, width=32)),
)
def test_warp_and_its_inverse_cancel(x, y, width, rotation, points):
    center = np.array([x, y], np.float32)
    scale = np.array([width, width * 4 / 3], np.float32)
    size = (192, 256)  # (w, h)
    there = bbox.get_udp_warp_matrix(center, scale, rotation, output_size=size)
    points = center + (points - 0.5) * scale
    mapped = points @ there[:, :2].T + there[:, 2]
    whole = np.vstack([there, [0, 0, 1]])
    back = np.linalg.inv(whole)
    restored = mapped @ back[:2, :2].T + back[:2, 2]
    assert np.allclose(restored, points, atol=1e-2)
    middle = center @ there[:, :2].T + there[:, 2]
    assert np.allclose(middle, (np.array(size) - 1) / 2, atol=0.05)


@given(points=arrays(np.float32, (1, 308, 2), elements=st.floats(0, 191, width=32)))
@settings(max_examples=25, deadline=None)
def test_mirroring_keypoints_twice_gives_them_back(points):
    info = goliath308_metainfo()['keypoint_info']
    ids = {point['name']: index for index, point in info.items()}
    partners = [ids[point['swap'] or point['name']] for point in info.values()]
    visible = np.ones((1, 308), np.float32)
    once, _ = flip_keypoints(points, visible, image_size=(192, 256), flip_indices=partners)
    twice, _ = flip_keypoints(once, visible, image_size=(192, 256), flip_indices=partners)
    assert np.allclose(points, twice, atol=1e-3)


@given(points=arrays(np.float32, (1, 7, 2), elements=st.floats(0, 1, width=32)))
@settings(max_examples=25, deadline=None)
def test_codec_decodes_what_it_encodes(points):
    codec = KEYPOINT_CODECS.build(
        {
            'type': 'mmpose.UDPHeatmap',
            'input_size': (192, 256),
            'heatmap_size': (48, 64),
            'sigma': 2,
        }
    )
    # Clear of the border, where blurring before decoding moves the peak.
    points = 40 + points * np.array([192 - 80, 256 - 80], np.float32)
    encoded = codec.encode(points.copy(), np.ones((1, 7), np.float32))
    decoded, scores = codec.decode(encoded['heatmaps'])
    assert np.abs(decoded - points).max() < 1.0  # a quarter of a heatmap cell
    assert (scores > 0.5).all()


@given(st.lists(st.sampled_from(['eye', 'ear', 'hip', 'knee', 'toe']), unique=True, min_size=1))
def test_made_layouts_are_involutions(parts):
    names = [f'{side}_{part}' for part in parts for side in ('left', 'right')] + ['nose']
    info = make_metainfo({'keypoints': names}, 'random')
    assert find_metainfo_problems(info) == []
    assert all(mirrored_name(mirrored_name(name)) == name for name in names)
