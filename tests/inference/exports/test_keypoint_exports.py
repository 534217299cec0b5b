# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Exported keypoints, read back by the tools that their users use."""

import json
import shutil

import numpy as np
import pytest
from exported_people import NAMES, SIZE, person
from PIL import Image

from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_inference.outputs.exports import export_run
from sapiens_inference.outputs.exports.openpose_layouts import convert_points
from sapiens_inference.outputs.exports.run_folder import Person


def test_coco_annotations_are_read_by_cocos_own_tools(run):
    from pycocotools import mask as coco_mask
    from xtcocotools.coco import COCO

    [path] = export_run(run, ['coco'])['coco']
    coco = COCO(str(path))
    [image] = coco.loadImgs(coco.getImgIds())
    assert (image['height'], image['width'], image['file_name']) == (*SIZE, 'sub/a.png')
    left, right = coco.loadAnns(coco.getAnnIds())
    points = np.reshape(left['keypoints'], (-1, 3))
    expected = person(4.0)['keypoints']
    np.testing.assert_allclose(points[:307], [[x, y, 2] for x, y in expected[:307]])
    assert points[307].tolist() == [0, 0, 0] and left['num_keypoints'] == 307
    assert left['bbox'] == [4.0, 4.0, 20.0, 36.0]
    masks = [coco_mask.decode(entry['segmentation']) for entry in (left, right)]
    truth = np.asarray(Image.open(run / 'seg/sub/a.png'))
    assert np.array_equal(masks[0], truth == 2) and np.array_equal(masks[1], truth == 22)
    category = coco.loadCats(coco.getCatIds())[0]
    links = {tuple(sorted((NAMES[a - 1], NAMES[b - 1]))) for a, b in category['skeleton']}
    assert ('left_ankle', 'left_knee') in links and len(links) == 65


def test_corrected_annotations_are_training_data(run):
    from data_checks import own_layout as own

    from sapiens_pose.datasets import CheckedCocoDataset

    [path] = export_run(run, ['coco'])['coco']
    category = own.read_category(path)
    info = own.make_metainfo(category, 'mine')
    dataset = CheckedCocoDataset(
        ann_file=str(path),
        metainfo=info,
        data_prefix={'img': str(run.parent / 'photos')},
        pipeline=[],
    )
    assert len(dataset) == 2
    np.testing.assert_allclose(
        dataset[0]['keypoints'][0, :307], person(4.0)['keypoints'][:307], atol=1e-3
    )
    assert dataset[0]['keypoints_visible'][0, 307] == 0


def test_coco_results_are_evaluated_against_the_same_people(run):
    from xtcocotools.coco import COCO
    from xtcocotools.cocoeval import COCOeval

    written = export_run(run, ['coco', 'coco_results'])
    truth = COCO(str(written['coco'][0]))
    found = truth.loadRes(str(written['coco_results'][0]))
    sigmas = np.array([point['sigma'] for point in load_goliath308()['keypoints']])
    evaluation = COCOeval(truth, found, 'keypoints', sigmas)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ('names', 'ids'),
    [(['000002', '7'], [2, 7]), (['2', 'a'], [1, 2]), (['a/000001', 'b/000001'], [1, 2])],
)
def test_coco_results_have_ids_of_their_own(run, names, ids):
    content = (run / 'pose/sub/a.json').read_text()
    (run / 'pose/sub/a.json').unlink()
    for name in names:
        (run / f'pose/{name}.json').parent.mkdir(exist_ok=True)
        (run / f'pose/{name}.json').write_text(content)
    for task in ('seg', 'depth', 'normal', 'pointmap'):
        shutil.rmtree(run / task)
    _, images = export_run(run, ['coco_results'])['coco_results']
    assert [entry['id'] for entry in json.loads(images.read_text())] == ids


def test_coco_names_the_photos_that_are_there(run):
    photo = run.parent / 'photos/sub/a.png'
    photo.rename(photo.with_suffix('.PNG'))
    content = json.loads((run / 'pose/sub/a.json').read_text())
    content['source']['path'] = str(photo.with_suffix('.PNG'))
    (run / 'pose/sub/a.json').unlink()
    (run / 'pose/sub/a_png.json').write_text(json.dumps(content))  # beside a.jpg, whose name is a
    [path] = export_run(run, ['coco'])['coco']
    assert [image['file_name'] for image in json.loads(path.read_text())['images']] == ['sub/a.PNG']


def test_openpose_body_25(run):
    [path] = export_run(run, ['openpose'])['openpose']
    assert path.name == 'a_keypoints.json'
    content = json.loads(path.read_text())
    body = np.reshape(content['people'][0]['pose_keypoints_2d'], (25, 3))
    points = np.array(person(4.0)['keypoints'])
    # The published table of ids of the 308 for BODY_25's order; the ninth is the middle of the hips.
    ids = [
        0,
        69,
        6,
        8,
        41,
        5,
        7,
        62,
        None,
        10,
        12,
        14,
        9,
        11,
        13,
        2,
        1,
        4,
        3,
        15,
        16,
        17,
        18,
        19,
        20,
    ]
    for row, index in enumerate(ids):
        expected = points[[9, 10]].mean(0) if index is None else points[index]
        np.testing.assert_allclose(body[row], [*expected, 0.8])
    hand = np.reshape(content['people'][0]['hand_right_keypoints_2d'], (21, 3))
    np.testing.assert_allclose(hand[[0, 1, 4, 8], :2], points[[41, 24, 21, 25]])
    face = np.reshape(content['people'][0]['face_keypoints_2d'], (-1, 3))
    assert len(face) == 70  # the 68 are inferred from the 238, the pupils are among them
    pupils = [NAMES.index(f'{side}_center_of_pupil') for side in 'rl']
    np.testing.assert_allclose(face[68:, :2], points[pupils])


def test_wholebody_is_read_by_mmpose_and_marks_what_was_inferred(run):
    from mmpose.datasets import CocoWholeBodyDataset

    from sapiens_pose.layouts import upstream_metainfo

    [path] = export_run(run, ['coco_wholebody'])['coco_wholebody']
    data = CocoWholeBodyDataset(ann_file=str(path), metainfo=upstream_metainfo('coco_wholebody'))
    points, visible = (data.get_data_info(0)[key][0] for key in ('keypoints', 'keypoints_visible'))
    known = np.array(person(4.0)['keypoints'])
    ids = {name: index for index, name in enumerate(NAMES)}
    for number, name in data.metainfo['keypoint_id2name'].items():
        if name in ids:
            np.testing.assert_allclose(points[number], known[ids[name]])
    assert visible.all()
    entry = json.loads(path.read_text())['annotations'][0]
    flags = [entry[key][2::3] for key in ('keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts')]
    assert [set(group) for group in flags[:3]] == [{2}, {2}, {1}]
    assert [number for number, flag in enumerate(flags[3]) if flag == 1] == [0, 1, 5, 9, 13, 17]
    assert entry['scores'][:23] == [0.8] * 23 and len(entry['scores']) == 133


def test_dwpose_frames_are_lists(run):
    [image] = export_run(run, ['dwpose'])['dwpose']
    [frame] = json.loads(image.read_text())
    assert (frame['canvas_height'], frame['canvas_width']) == SIZE
    assert len(frame['people'][0]['pose_keypoints_2d']) == 18 * 3
    assert set(frame['people'][0]['pose_keypoints_2d'][2::3]) == {1.0}


def test_a_layout_takes_what_stands_in():
    one = Person(np.zeros(4), 1.0, np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([0.5, 0.9]))
    names = ['left_shoulder', 'right_shoulder']
    neck = ((('neck',), ('left_shoulder', 'right_shoulder')), (('nose',),))
    points, scores = convert_points(one, names, neck)
    np.testing.assert_allclose(points[0], [2.0, 4.0])
    assert scores.tolist() == [0.5, 0.0] and np.isnan(points[1]).all()
