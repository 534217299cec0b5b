# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from sapiens_common.files.boxes import read_boxes_json
from sapiens_inference.engine.run import open_run
from sapiens_inference.inputs.boxes import GivenBoxes, find_boxes, whole_image
from sapiens_inference.items import DETECTOR, Boxes, Frame, Item, Video


def item_of(name='a', index=0, size=(100, 200), path=None):
    return Item(index, name, path=path, image=np.zeros((*size, 3), np.uint8))


def boxes_of(boxes, item):
    find_boxes(boxes, None)([item])
    assert item.error is None, item.error
    return item.boxes


def test_one_array_serves_every_image():
    boxes = boxes_of(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), item_of(index=3))
    np.testing.assert_array_equal(boxes.xyxy, [[1, 2, 3, 4], [5, 6, 7, 8]])
    np.testing.assert_array_equal(boxes.scores, [1, 1])
    assert boxes.origin == 'given' and boxes.xyxy.dtype == np.float32


@pytest.mark.parametrize(
    ('boxes', 'index', 'expected'),
    [
        ([1, 2, 3, 4], 0, [[1, 2, 3, 4]]),  # one box
        ([[[1, 2, 3, 4, 0.5]], []], 0, [[1, 2, 3, 4]]),  # one list per image
        ([[[1, 2, 3, 4, 0.5]], []], 1, np.zeros((0, 4))),  # an image without people
        ({'a': [[1, 2, 3, 4]]}, 7, [[1, 2, 3, 4]]),  # by name
    ],
)
def test_forms_of_given_boxes(boxes, index, expected):
    np.testing.assert_array_equal(boxes_of(boxes, item_of(index=index)).xyxy, expected)


@pytest.mark.parametrize(
    ('box', 'message'),
    [
        ([300, 0, 400, 50], r'lies outside the image of 200 x 100 pixels'),
        ([50, 10, 20, 40], r'COCO files hold x, y, width, height'),
        ([0, 0, np.nan, 5], r'expected finite'),
        ([0.1, 0.2, 0.5, 0.9], "expected pixels, not shares of the image's sides"),
        ([1, 2, 30, 40, None], r'the scores \[nan\] are not all finite'),
        ([1, 2, 3], r'expected boxes of shape \(N, 4\) or \(N, 5\)'),
    ],
)
def test_a_box_that_makes_no_sense_costs_its_image_and_is_named(box, message):
    item = item_of('photo')
    find_boxes({'photo': [box]}, None)([item])
    assert item.error is not None
    with pytest.raises(ValueError, match=message):
        raise ValueError(item.error)
    assert 'photo' in item.error


def test_too_few_boxes_for_the_inputs():
    item = item_of(index=2)
    find_boxes([[[0, 0, 5, 5]]], None)([item])
    assert 'boxes were given for 1 inputs, and this is number 3' in item.error


def test_a_list_is_as_long_as_the_inputs(mean_task, photo):
    image, task = photo(), mean_task()
    two = [[2, 2, 30, 40], [33, 2, 60, 40]]
    with pytest.raises(ValueError, match=r'boxes: a list of 2 for 1 images.*np\.array\(boxes\)'):
        task(image, boxes=two)
    assert len(task(image, boxes=np.array(two))[0].boxes) == 2
    with pytest.raises(
        ValueError, match='masks: a list of 1 for 2 images and frames; expected one'
    ):
        task([image, image], 'image', masks=[image[..., 0]])


def test_unknown_boxes_and_missing_files(tmp_path):
    with pytest.raises(ValueError, match='none.json does not exist'):
        find_boxes(tmp_path / 'none.json', None)
    with pytest.raises(ValueError, match='expected a JSON path'):
        find_boxes(3.5, None)
    (tmp_path / 'odd.json').write_text('[{"image_id": 1}]')
    with pytest.raises(ValueError, match="odd.json: entry 0, {'image_id': 1}, has no 'bbox'"):
        find_boxes(tmp_path / 'odd.json', None)


def test_the_output_of_a_video_serves_as_boxes_again(tmp_path):
    people = [{'box': [1.0, 2.0, 30.0, 40.0], 'box_score': 0.5}]
    content = {'video': {'name': 'film'}, 'frames': [{'frame': 3, 'people': people}]}
    (tmp_path / 'film.json').write_text(json.dumps(content))
    video = Video('film', Path('film.mp4'), Fraction(25))
    frames = [item_of('film', n) for n in (3, 4)]
    for item in frames:
        item.frame = Frame(video, item.index, 0.0)
    found = [boxes_of(tmp_path / 'film.json', item) for item in frames]
    np.testing.assert_array_equal(found[0].xyxy, [[1, 2, 30, 40]])
    assert found[0].scores.tolist() == [0.5] and len(found[1]) == 0


def test_whole_image():
    item = item_of()
    whole_image([item])
    np.testing.assert_array_equal(item.boxes.xyxy, [[0, 0, 200, 100]])


def test_one_box_as_a_vector_and_a_word_that_means_nothing():
    item = item_of('a')
    for box in (np.array([1, 2, 30, 40.0]), [1, 2, 30, 40], (1, 2, 30, 40, 0.5)):
        np.testing.assert_array_equal(boxes_of(box, item).xyxy, [[1, 2, 30, 40]])
    with pytest.raises(
        ValueError, match="boxes 'whole': expected 'detector', 'image', or the path"
    ):
        boxes_of('whole', item)


@pytest.fixture
def coco(tmp_path):
    """A COCO annotation file and a detection file of the same two images."""
    images = [
        {'id': 12, 'file_name': '000000000012.jpg', 'width': 200, 'height': 100},
        {'id': 13, 'file_name': '000000000013.jpg', 'width': 200, 'height': 100},
    ]
    annotations = [
        {'id': 1, 'image_id': 12, 'category_id': 1, 'bbox': [-3.3, 10.1, 20.7, 30.3]},
        {'id': 2, 'image_id': 12, 'category_id': 1, 'bbox': [150.5, 60.2, 80.0, 80.0]},
        {'id': 3, 'image_id': 13, 'category_id': 1, 'bbox': [1, 2, 30, 40], 'iscrowd': 1},
    ]
    for entry in annotations:
        entry.update(keypoints=[1, 1, 2] * 17, num_keypoints=17, area=100.0)
        entry.setdefault('iscrowd', 0)
    ann = tmp_path / 'ann.json'
    categories = [{'id': 1, 'name': 'person'}]
    ann.write_text(
        json.dumps({'images': images, 'annotations': annotations, 'categories': categories})
    )
    det = tmp_path / 'det.json'
    rows = [{**entry, 'score': 0.9} for entry in annotations]
    rows.append({'image_id': 12, 'category_id': 3, 'bbox': [0, 0, 9, 9], 'score': 1.0})
    det.write_text(json.dumps(rows))
    return ann, det


@pytest.mark.parametrize('from_detections', [False, True])
def test_coco_files_give_exactly_the_boxes_of_upstreams_dataset(coco, from_detections, tmp_path):
    from mmpose.datasets import CocoDataset
    from mmpose.utils import register_all_modules

    register_all_modules()
    ann, det = coco
    dataset = CocoDataset(
        ann_file=str(ann),
        bbox_file=str(det) if from_detections else None,
        test_mode=True,
        pipeline=[],
    )
    for name in ('000000000012', '000000000013'):
        item = item_of(name, path=Path(f'{name}.jpg'))
        found = boxes_of(det if from_detections else ann, item)
        infos = [info for info in dataset if Path(info['img_path']).stem == name]
        expected = np.array([info['bbox'][0] for info in infos]).reshape(-1, 4)
        np.testing.assert_array_equal(found.xyxy, expected)  # to the last bit
        scores = np.array([info['bbox_score'][0] for info in infos])
        np.testing.assert_array_equal(found.scores, scores)


def test_images_of_one_name_in_two_folders_keep_their_boxes(tmp_path):
    images = [{'id': 1, 'file_name': 'a/1.jpg'}, {'id': 2, 'file_name': 'b/1.jpg'}]
    images.append({'id': 3, 'file_name': 'b/2.jpg'})
    annotations = [{'image_id': n, 'bbox': [n, n, 10, 10]} for n in (1, 2, 3)]
    path = tmp_path / 'ann.json'
    path.write_text(json.dumps({'images': images, 'annotations': annotations}))
    for number, place in ((1, 'a/1.jpg'), (2, 'b/1.jpg'), (3, 'b/2.jpg'), (3, 'elsewhere/2.jpg')):
        item = item_of('1', path=Path('/photos', place))
        np.testing.assert_array_equal(boxes_of(path, item).xyxy, [[number] * 2 + [number + 10] * 2])
    assert len(boxes_of(path, item_of('1', path=Path('elsewhere/1.jpg')))) == 0  # which of the two?


def test_the_most_exact_name_counts():
    item = item_of('sub/a', path=Path('/photos/sub/a.jpg'))
    assert boxes_of({'a': [[0, 0, 1, 1]], 'sub/a': [[0, 0, 2, 2]]}, item).xyxy[0, 2] == 2
    assert boxes_of({'a': [[0, 0, 1, 1]], 'a.jpg': [[0, 0, 3, 3]]}, item).xyxy[0, 2] == 3
    assert boxes_of({'7': [[0, 0, 1, 1]]}, item_of('0007')).xyxy[0, 2] == 1
    assert len(boxes_of({'2': [[0, 0, 1, 1]]}, item_of('\u00b2'))) == 0  # a digit, and no number


@pytest.mark.parametrize(
    'content',
    [
        {'/elsewhere/x/photo.jpg': [[1, 2, 3, 4]]},
        [{'file_name': 'x/photo.jpg', 'bbox': [1, 2, 2, 2], 'category_id': 1}],
    ],
)
def test_boxes_may_have_been_made_in_another_folder(tmp_path, content):
    (tmp_path / 'boxes.json').write_text(json.dumps(content))
    item = item_of('photo')
    item.path = Path('/here/photo.jpg')
    assert boxes_of(tmp_path / 'boxes.json', item).xyxy.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize('part', ['images', 'annotations'])
def test_half_a_coco_file_is_refused(tmp_path, part):
    (tmp_path / 'half.json').write_text(json.dumps({part: []}))
    with pytest.raises(ValueError, match=f'half.json: it has {part} and no '):
        find_boxes(tmp_path / 'half.json', None)


def test_boxes_that_fail_do_not_name_none_of_the_inputs(mean_task, three):
    (three / 'boxes.json').write_text(json.dumps({'b': {'bboxes': [[1, 2, 3, 4]]}}))
    pipeline = open_run([mean_task()], three / 'in', None, three / 'boxes.json')
    _, b, _ = pipeline.run()
    assert 'expected boxes of 4 or 5 numbers' in b.error
    assert pipeline.summary.failed and not pipeline.summary.no_boxes_fit


def test_detections_without_an_image_are_refused(tmp_path):
    (tmp_path / 'det.json').write_text('[{"bbox": [1, 2, 3, 4], "score": 0.5}]')
    with pytest.raises(ValueError, match="entry 0, .* has no 'image_id'"):
        find_boxes(tmp_path / 'det.json', None)


@pytest.fixture
def three(tmp_path, photo):
    """Photos a, b and c, and a file of boxes that names b alone and says that c has nobody."""
    (tmp_path / 'in').mkdir()
    for seed, name in enumerate('abc'):
        cv2.imwrite(str(tmp_path / f'in/{name}.png'), photo(seed))
    (tmp_path / 'boxes.json').write_text(json.dumps({'b': [[1, 2, 30, 40]], 'c': []}))
    return tmp_path


def detector(items):
    for item in items:
        item.boxes = Boxes(np.float32([[0, 0, 9, 9]]), np.float32([0.5]), DETECTOR)


@pytest.mark.parametrize(
    ('missing', 'origin', 'boxes'),
    [
        ('skip', 'given', np.zeros((0, 4))),
        ('whole', 'whole image (no boxes given)', [[0, 0, 64, 48]]),
        ('detector', 'detector', [[0, 0, 9, 9]]),
    ],
)
def test_images_that_a_file_of_boxes_does_not_name(mean_task, three, missing, origin, boxes):
    task = mean_task()
    task.detector = detector
    pipeline = open_run([task], three / 'in', None, three / 'boxes.json', boxes_missing=missing)
    a, b, c = pipeline.run()
    np.testing.assert_array_equal(a.boxes.xyxy, boxes)
    assert a.boxes.origin == origin and a.notes == ['no boxes were given for this image']
    assert b.boxes.origin == c.boxes.origin == 'given' and not b.notes and len(c.boxes) == 0
    assert c.notes == ['the boxes given for this image are none']
    summary = pipeline.summary
    assert summary.without_boxes == 1 and summary.first_without_boxes.endswith('in/a.png')
    assert 'boxes were given for 2 of 3, the first without: ' in str(summary)
    assert not summary.no_boxes_fit


def test_images_without_boxes_may_be_errors(mean_task, three):
    a, b, _ = mean_task()(three / 'in', three / 'boxes.json', boxes_missing='error')
    assert a.error.endswith('in/a.png: no boxes are given for it; names with boxes: b, c') and b.ok
    with pytest.raises(
        ValueError, match='boxes_missing .*: expected one of skip, whole, detector, e'
    ):
        mean_task()(three / 'in', three / 'boxes.json', boxes_missing='x')
    with pytest.raises(ValueError, match="boxes_missing='detector' needs a person detector"):
        GivenBoxes({}, 'detector')


@pytest.mark.parametrize(
    'content',
    [
        [],
        {},
        {'other': [[0, 0, 5, 5]]},
        [{'image_id': 1, 'bbox': [0, 0, 5, 5], 'category_id': 0}],
        {'images': [{'id': 1, 'file_name': 'x.jpg'}], 'annotations': []},
    ],
)
@pytest.mark.parametrize('missing', ['skip', 'whole'])
def test_boxes_that_fit_none_of_the_inputs(mean_task, three, content, missing):
    (three / 'boxes.json').write_text(json.dumps(content))
    pipeline = open_run(
        [mean_task()], three / 'in', None, three / 'boxes.json', boxes_missing=missing
    )
    list(pipeline.run())
    assert pipeline.summary.no_boxes_fit and 'given for 0 of 3' in str(pipeline.summary)


def test_boxes_of_other_categories_are_counted(coco, warned):
    ann, det = coco
    read_boxes_json(det)
    assert 'det.json: 1 are not of category 1, the person, and are left out' in warned[0]
    assert warned[0].endswith('their categories: 3 (1)')
    content = json.loads(ann.read_text())
    content['categories'] = [{'id': 0, 'name': 'person'}, {'id': 1, 'name': 'dog'}]
    for entry, category in zip(content['annotations'], (0, 1, 0), strict=True):
        entry['category_id'] = category
    ann.write_text(json.dumps(content))
    found = read_boxes_json(ann)
    assert len(found['000000000012.jpg']) == 1 and found['000000000013.jpg'] == []
    assert 'ann.json: 1 are not of category 0' in warned[1]


def test_an_annotation_of_no_image_is_named(coco):
    ann, _ = coco
    content = json.loads(ann.read_text())
    content['annotations'][1]['image_id'] = 99
    ann.write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=r'ann\.json: annotation 1, .* \(image_id 99 is not one of its im'
    ):
        read_boxes_json(ann)
