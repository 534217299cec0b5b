# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import tracemalloc

import cv2
import numpy as np
import pytest

from sapiens_common.visualization import (
    SkeletonStyle,
    beside,
    dense,
    depth_picture,
    draw_people,
    legend,
    normal_picture,
    parts_entries,
    parts_overlay,
    sheet,
    skeleton,
    titled,
)
from sapiens_common.visualization.canvas import draw_text, text_height
from sapiens_common.visualization.dense import depth_range, depth_scale

GREY = (128, 128, 128)


@pytest.fixture
def style():
    return SkeletonStyle([(255, 0, 0), (0, 255, 0)], [(0, 1)], [(0, 0, 255)], [1.0, 1.0])


def test_points_and_links_have_their_places_and_colours(style):
    image = np.full((200, 200, 3), 255, np.uint8)
    points = np.array([[[40.0, 50.0], [140.0, 50.0]]])
    boxes = np.array([[10, 10, 190, 190.0]])
    picture = draw_people(image, points, np.ones((1, 2)), boxes, style)
    assert picture[50, 40].tolist() == [0, 0, 255]  # red, in BGR
    assert picture[50, 140].tolist() == [0, 255, 0]
    np.testing.assert_allclose(picture[50, 90], [255, 0, 0], atol=40)  # a thin, smoothed line
    assert (image == 255).all()  # the photo is not changed


def test_low_scores_missing_points_and_far_ones_are_left_out(style):
    image = np.full((50, 50, 3), 255, np.uint8)
    points = np.array([[[20.0, 20.0], [np.nan, np.nan]], [[1e9, -1e9], [30.0, 30.0]]])
    scores = np.array([[0.9, 0.0], [0.9, 0.2]])
    boxes = np.array([[0, 0, 50, 50.0]] * 2)
    picture = draw_people(image, points, scores, boxes, style, draw_boxes=False)
    assert (picture[20, 20] != 255).any() and (picture[30, 30] == 255).all()


def test_depth_is_bright_when_near_and_grey_off_the_person():
    depth = np.linspace(0, 1, 100, dtype=np.float32)[None].repeat(20, 0)
    mask = np.ones(depth.shape, bool)
    mask[:, 40:60] = False
    picture = depth_picture(depth, mask)
    brightness = picture.sum(axis=2)
    assert brightness[5, 2] > 3 * brightness[5, 97]
    assert (picture[:, 40:60] == GREY).all()
    levels = np.linspace(255, 0, 100).round().astype(np.uint8)[None]
    expected = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    np.testing.assert_array_equal(depth_picture(depth, limits=(0, 1))[0], expected[0])


@pytest.mark.parametrize(
    ('depth', 'mask', 'expected'),
    [
        (np.full((4, 4), 0.5), None, (0.5, 0.5)),  # flat
        (np.full((4, 4), np.nan), None, (0.0, 1.0)),  # nothing
        (np.ones((4, 4)), np.zeros((4, 4), bool), (0.0, 1.0)),  # an empty mask
    ],
)
def test_flat_and_empty_depths_have_a_picture(depth, mask, expected):
    assert depth_range(depth, mask) == expected
    picture = depth_picture(depth, mask)
    assert picture.shape == (4, 4, 3)
    if expected == (0.0, 1.0):
        assert (picture == GREY).all()
    assert depth_scale(200, expected).shape[0] == 200


def test_normals_are_colours_xyz_as_rgb():
    normal = np.zeros((1, 4, 3), np.float32)
    normal[0, 0], normal[0, 1], normal[0, 2] = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    picture = normal_picture(normal)
    assert picture[0, :, ::-1].tolist()[:3] == [[255, 128, 128], [128, 255, 128], [128, 128, 255]]
    assert picture[0, 3].tolist() == list(GREY)  # no normal


def test_parts_cover_people_only_and_the_legend_tells_their_shares():
    image = np.full((40, 60, 3), 200, np.uint8)
    labels = np.zeros((40, 60), np.uint8)
    labels[10:30, 10:20], labels[10:30, 20:30], labels[0, 0] = 1, 2, 255
    names, palette = ['Background', 'Left_Hand', 'Hair'], [(0, 0, 0), (255, 0, 0), (0, 0, 255)]
    picture = parts_overlay(image, labels, palette, opacity=1.0)
    assert (picture[35, 50] == 200).all()
    assert picture[20, 15].tolist() == [0, 0, 255] and picture[20, 25].tolist() == [255, 0, 0]
    entries = parts_entries(labels, names, palette)
    assert entries == [('Left Hand  50.0 %', (255, 0, 0)), ('Hair  50.0 %', (0, 0, 255))]
    empty = np.zeros_like(labels)
    np.testing.assert_array_equal(parts_overlay(image, empty, palette), image)
    assert [name for name, _ in parts_entries(empty, names, palette)] == ['no body part found']


def test_long_legends_get_more_columns_and_sheets_keep_every_picture():
    short, long = legend([('a', (1, 2, 3))], 100), legend([('a', (1, 2, 3))] * 40, 100)
    assert short.shape[0] == long.shape[0] == 100 and long.shape[1] > 3 * short.shape[1]
    tiles = [(f'{n}', np.full((480, 360, 3), 10 * n, np.uint8)) for n in range(1, 6)]
    canvas = sheet(tiles, entries=[('skin', (1, 2, 3))])
    for _, tile in tiles:
        assert (canvas == tile[0, 0]).all(axis=2).sum() >= 480 * 360
    assert (canvas == (3, 2, 1)).all(axis=2).any()  # the legend is the sixth cell
    assert 1.0 < canvas.shape[1] / canvas.shape[0] < 2.5
    assert beside(tiles[0][1], tiles[1][1]).shape == (480, 726, 3)
    assert titled(tiles[0][1], 'x').shape[0] > 480


def test_frames_of_a_video_get_panels_of_one_width():
    names = [f'part {n}' for n in range(27)]
    few = legend([('part 1', (1, 2, 3))], 200, room_for=names)
    assert few.shape == legend([(n, (1, 2, 3)) for n in names], 200, room_for=names).shape
    assert depth_scale(300, (0.1, 0.9)).shape == depth_scale(300, (-10.25, 12.5)).shape
    pictures = [('a', np.full((90, 60, 3), level, np.uint8)) for level in (0, 250)]
    flipped = [(title, 255 - picture) for title, picture in pictures]
    entries = [(name, (9, 9, 9)) for name in names]
    assert sheet(pictures).shape == sheet(flipped).shape
    assert sheet(pictures, entries=entries).shape == sheet(pictures, entries=entries[:1]).shape


@pytest.mark.parametrize('ground', [0, 128, 255])
@pytest.mark.parametrize('scale', [1, 12])
def test_boxes_and_numbers_are_seen_on_any_ground_at_any_size(style, ground, scale):
    image = np.full((240 * scale, 320 * scale, 3), ground, np.uint8)
    boxes = np.array([[20, 40, 90, 220], [0, 0, 15, 30], [120, 2, 318, 238]], float) * scale
    nothing = np.full((3, 2, 2), np.nan), np.ones((3, 2))
    picture = draw_people(image, *nothing, boxes, style, track_ids=[1, 2, 1234])
    for x1, y1, _, y2 in boxes.astype(int):
        row = picture[(y1 + y2) // 2, max(x1 - 6 * scale, 0) : x1 + 6 * scale].astype(int)
        assert np.abs(row - ground).max() > 90
    changed = (picture != image).any(axis=2)
    lines = changed[:, 200 * scale].sum()  # two horizontal lines of the third box
    assert 2 <= lines <= 10 * scale and (scale == 1 or lines >= 8)
    assert changed[: 36 * scale, 20 * scale : 32 * scale].any()  # the number above its box
    few = draw_people(image, *nothing, boxes, style)
    assert (picture != few).any()


def test_a_person_without_a_point_above_the_threshold_is_labelled(style, monkeypatch):
    written = []
    monkeypatch.setattr(skeleton, 'draw_text', lambda _, text, *rest: written.append(text))
    image, boxes = np.zeros((200, 300, 3), np.uint8), np.array([[20, 40, 190, 190.0]])
    points = np.full((1, 2, 2), 80.0)
    draw_people(image, points, np.full((1, 2), 0.1), boxes, style)
    draw_people(image, points, np.full((1, 2), 0.1), boxes, style, 0.5, track_ids=[7])
    draw_people(image, points, np.array([[0.1, 0.9]]), boxes, style)
    assert written == ['0 of 2 above 0.3', '7  0 of 2 above 0.5']


def test_points_of_a_small_face_do_not_become_one_patch():
    grid = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), -1).reshape(1, 64, 2)
    dense = SkeletonStyle([(255, 0, 0)] * 64, [], [], [0.4] * 64)

    def picture(spacing):
        image = np.full((300, 300, 3), 200, np.uint8)
        boxes, points = np.array([[0, 0, 300, 300.0]]), 20 + spacing * grid
        return draw_people(image, points, np.ones((1, 64)), boxes, dense, draw_boxes=False)

    far = (picture(30)[..., 0] < 150).sum() / 64  # pixels of a point that has room
    near = picture(2)[20:35, 20:35, 0]
    assert far > 1 and (near == 200).mean() > 0.6  # the face below is still seen
    assert (near != 200).sum() == 64  # and so is every point


def test_near_people_lie_over_those_behind_them_and_skeletons_over_boxes(style, monkeypatch):
    drawn = []
    monkeypatch.setattr(skeleton, '_box', lambda _, box, *rest: drawn.append(('box', *box)))
    monkeypatch.setattr(skeleton, '_person', lambda _, points, *rest: drawn.append(points[0, 0]))
    boxes = np.array([[0, 0, 199, 199.0], [50, 50, 150, 150]])
    points = np.array([[[1.0, 0], [1, 1]], [[2, 0], [2, 1]]])
    draw_people(np.zeros((200, 200, 3), np.uint8), points, np.ones((2, 2)), boxes, style)
    assert drawn == [('box', *boxes[1]), ('box', *boxes[0]), 2, 1]


def test_points_of_a_close_face_are_larger_than_those_of_a_far_one():
    grid = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), -1).reshape(1, 64, 2)

    def covered(size, spacing):
        face = SkeletonStyle([(255, 0, 0)] * 64, [], [], [size] * 64)
        image, boxes = np.zeros((300, 300, 3), np.uint8), np.array([[0, 0, 300, 300.0]])
        args = (20 + spacing * grid, np.ones((1, 64)), boxes, face)
        return (draw_people(image, *args, draw_boxes=False)[..., 2] > 60).sum() / 64

    for size in (0.4, 0.6):  # faces, hands
        assert covered(size, 30) > 1.5 * covered(size, 3)
    assert covered(0.4, 30) < covered(1.0, 30)  # a joint is larger


def test_lines_grow_with_the_person_and_with_huge_photos(style):
    points = np.array([[[0.2, 0.5], [0.8, 0.5]]])

    def thickness(size, person):
        image = np.zeros((size, size, 3), np.uint8)
        boxes = np.array([[0, 0, person, person]], float)
        picture = draw_people(
            image, points * person, np.ones((1, 2)), boxes, style, draw_boxes=False
        )
        return int((picture[:, person // 2] > 60).any(axis=1).sum())

    assert thickness(400, 400) > thickness(400, 100) >= 1
    assert thickness(6000, 6000) >= 6000 / 250  # visible when shrunk to a screen
    assert thickness(6000, 300) >= 3


def test_text_scales_and_is_cut_at_the_border():
    assert text_height(100) == 11 and text_height(4000) == 100
    picture = np.full((30, 40, 3), 255, np.uint8)
    for corner in ((-5, -5), (35, 25), (100, 0)):
        draw_text(picture, 'body', corner, 12)
    assert (picture < 128).any() and (picture[13:20, 12:30] == 255).all()


def large_pictures(height, width):
    """Name to a function that draws it, and what it draws."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    labels = cv2.resize(
        rng.integers(0, 6, (9, 7), dtype=np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
    )
    depth = rng.random((height, width), dtype=np.float32)
    normal = rng.normal(size=(height, width, 3)).astype(np.float32)
    mask = labels > 2
    palette = rng.integers(0, 256, (6, 3)).tolist()
    return {
        'parts': lambda: parts_overlay(photo, labels, palette),
        'depth': lambda: depth_picture(depth, mask),
        'normals': lambda: normal_picture(normal, mask),
        'shares': lambda: parts_entries(labels, list('abcdef'), palette),
    }


def test_large_pictures_are_made_in_bands_that_do_not_show(monkeypatch):
    whole = {name: draw() for name, draw in large_pictures(123, 77).items()}
    monkeypatch.setattr(dense, '_BAND', 1000)
    for name, draw in large_pictures(123, 77).items():
        found = draw()
        assert found == whole[name] if name == 'shares' else (found == whole[name]).all(), name


@pytest.mark.parametrize('name', ['parts', 'depth', 'normals', 'shares'])
def test_large_pictures_need_little_more_than_themselves(monkeypatch, name):
    monkeypatch.setattr(dense, '_BAND', 1 << 16)
    draw = large_pictures(1500, 1200)[name]
    tracemalloc.start()
    draw()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * 1500 * 1200 * 3  # the float copies alone were eight times the picture
