# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Exported results, read back by the tools that their users use."""

import csv
import json
import shutil

import export_results
import numpy as np
import pandas
import pytest
import trimesh
from PIL import Image

from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_inference.outputs.exports import EXPORTS, export_run, register_export
from sapiens_inference.outputs.exports.openpose_layouts import convert_points
from sapiens_inference.outputs.exports.run_folder import Person, RunFolder

NAMES = [point['name'] for point in load_goliath308()['keypoints']]
SIZE = (48, 64)  # height, width


def person(x, track_id=None):
    """A person whose keypoints lie on a grid to the right of ``x``; the last has no score."""
    points = [[x + (i % 16), 5.0 + i // 16] for i in range(308)]
    entry = {
        'box': [x, 4.0, x + 20.0, 40.0],
        'box_score': 0.9,
        'keypoints': points,
        'scores': [0.8] * 307 + [0.1],
    }
    return entry if track_id is None else {**entry, 'track_id': track_id}


@pytest.fixture
def run(tmp_path):
    """Results of one photo with two people, with every kind of map, as the tools write them."""
    photo = tmp_path / 'photos/sub/a.png'
    photo.parent.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photo)
    out = tmp_path / 'out'
    for task in ('pose', 'seg', 'depth', 'normal', 'pointmap'):
        (out / task / 'sub').mkdir(parents=True)
    source = {'name': 'sub/a', 'index': 0, 'path': str(photo), 'size': list(SIZE)}
    content = {'task': 'pose', 'ok': True, 'source': source, 'box_origin': 'given', 'names': NAMES}
    people = [person(4.0), person(36.0)]
    (out / 'pose/sub/a.json').write_text(json.dumps({**content, 'people': people}))
    labels = np.zeros(SIZE, np.uint8)
    labels[6:40, 6:22], labels[6:40, 40:56] = 2, 22
    image = Image.fromarray(labels).convert('P')
    image.putpalette([i % 256 for i in range(768)])
    image.save(out / 'seg/sub/a.png')
    classes = {'models': {'seg': {'classes': [f'part{i}' for i in range(28)]}}}
    (out / 'seg/summary.json').write_text(json.dumps(classes))
    rng = np.random.default_rng(1)
    np.save(out / 'depth/sub/a.npy', rng.random(SIZE).astype(np.float32))
    np.save(out / 'normal/sub/a.npy', rng.random((*SIZE, 3)).astype(np.float32))
    # A plane two metres away, seen by a camera of focal length 50.
    rows, columns = np.indices(SIZE)
    points = np.stack([(columns - 31.5) / 50 * 2, (rows - 23.5) / 50 * 2, np.full(SIZE, 2.0)], -1)
    np.savez(out / 'pointmap/sub/a.npz', points=points.astype(np.float32))
    return out


@pytest.fixture
def film(tmp_path):
    """Results of a video of three frames that is not at hand any more; the second frame is empty."""
    (tmp_path / 'out/pose').mkdir(parents=True)
    frames = [
        {'frame': 0, 'time': 0.0, 'box_origin': 'given', 'people': [person(1.0, 7)]},
        {'frame': 1, 'time': 0.04, 'box_origin': 'given', 'people': []},
        {
            'frame': 2,
            'time': 0.08,
            'box_origin': 'given',
            'people': [person(3.0, 7), person(30.0, 8)],
        },
    ]
    video = {'name': 'film', 'path': None, 'rate': 25.0}
    content = {'task': 'pose', 'names': NAMES, 'video': video, 'frames': frames}
    (tmp_path / 'out/pose/film.json').write_text(json.dumps(content))
    return tmp_path / 'out'


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


@pytest.mark.parametrize(('names', 'ids'), [(['000002', '7'], [2, 7]), (['2', 'a'], [1, 2])])
def test_coco_results_have_ids_of_their_own(run, names, ids):
    content = (run / 'pose/sub/a.json').read_text()
    (run / 'pose/sub/a.json').unlink()
    for name in names:
        (run / f'pose/{name}.json').write_text(content)
    for task in ('seg', 'depth', 'normal', 'pointmap'):
        shutil.rmtree(run / task)
    _, images = export_run(run, ['coco_results'])['coco_results']
    assert [entry['id'] for entry in json.loads(images.read_text())] == ids


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


def test_csv_is_read_by_pandas(film):
    written = export_run(film, ['csv', 'csv_long'])
    wide, long = (pandas.read_csv(written[name][0]) for name in ('csv', 'csv_long'))
    assert wide[['frame', 'person', 'track_id']].to_numpy().tolist() == [
        [0, 0, 7],
        [2, 0, 7],
        [2, 1, 8],
    ]
    assert wide['left_knee_x'][2] == person(30.0)['keypoints'][NAMES.index('left_knee')][0]
    assert len(long) == 3 * 308
    row = long[(long.frame == 2) & (long.track_id == 8) & (long.keypoint == 'left_knee')]
    assert row['x'].item() == wide['left_knee_x'][2]


def test_npz_holds_the_video_in_one_array(film):
    [path] = export_run(film, ['npz'])['npz']
    with np.load(path, allow_pickle=False) as content:
        assert content['frame_ids'].tolist() == [0, 2, 2]
        assert content['track_ids'].tolist() == [7, 7, 8]
        assert content['keypoints'].shape == (3, 308, 2)
        np.testing.assert_allclose(content['keypoints'][1], person(3.0)['keypoints'])
        assert content['names'].tolist() == NAMES


def test_trc_of_a_plane_holds_pixels_and_says_so(film):
    written = export_run(film, ['trc'])['trc']
    assert sorted(path.name for path in written) == ['film_person7_2d.trc', 'film_person8_2d.trc']
    lines = written[0].read_text().split('\n')
    header = dict(zip(lines[1].split('\t'), lines[2].split('\t'), strict=True))
    assert header['NumFrames'] == '2' and header['NumMarkers'] == '308' and header['Units'] == 'px'
    markers = lines[3].split('\t')
    assert markers[2] == 'nose' and markers[5] == 'left_eye'
    cells = lines[6].split('\t')
    assert [float(cell) for cell in cells[:5]] == [0, 0.0, 1.0, -5.0, 0.0]


def test_cutouts_of_people_and_parts(run):
    written = export_run(run, ['cutouts', 'parts'])
    whole, left, right = (np.asarray(Image.open(path)) for path in written['cutouts'])
    labels = np.asarray(Image.open(run / 'seg/sub/a.png'))
    photo = np.asarray(Image.open(run.parent / 'photos/sub/a.png'))
    assert np.array_equal(whole[..., 3] == 255, labels > 0)
    assert np.array_equal(whole[..., :3], photo)
    assert np.array_equal(left[..., 3] > 0, labels == 2)
    assert np.array_equal(right[..., 3] > 0, labels == 22)
    assert [p.name for p in written['parts']] == ['a_02_part2.png', 'a_22_part22.png']


def test_exr_has_named_channels(run):
    import OpenEXR

    [path] = export_run(run, ['exr'])['exr']
    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = {name: channel.pixels for name, channel in file.channels().items()}
    assert set(channels) == {'Z', 'N.X', 'N.Y', 'N.Z', 'P.X', 'P.Y', 'P.Z'}
    np.testing.assert_array_equal(channels['N.Y'], np.load(run / 'normal/sub/a.npy')[..., 1])
    np.testing.assert_allclose(channels['Z'], 2.0)


@pytest.mark.parametrize('kind', ['ply', 'glb'])
def test_clouds_are_read_by_trimesh(run, kind):
    [path] = export_run(run, [kind])[kind]
    loaded = trimesh.load(path)
    cloud = loaded if kind == 'ply' else next(iter(loaded.geometry.values()))
    labels = np.asarray(Image.open(run / 'seg/sub/a.png'))
    assert len(cloud.vertices) == (labels > 0).sum()
    rows, columns = np.nonzero(labels)
    np.testing.assert_allclose(cloud.vertices[0][2], -2.0)
    np.testing.assert_allclose(
        cloud.vertices[0][:2], [(columns[0] - 31.5) / 25, (23.5 - rows[0]) / 25], atol=1e-6
    )
    photo = np.asarray(Image.open(run.parent / 'photos/sub/a.png'))
    assert np.array_equal(cloud.colors[0][:3], photo[rows[0], columns[0]])


def test_a_cloud_of_relative_depth_is_a_relief(run, caplog):
    (run / 'pointmap/sub/a.npz').unlink()
    [path] = export_run(run, ['ply'])['ply']
    depth = np.load(run / 'depth/sub/a.npy')
    labels = np.asarray(Image.open(run / 'seg/sub/a.png'))
    np.testing.assert_allclose(
        trimesh.load(path).vertices[:, 2], 0.25 * (1 - depth[labels > 0]), atol=1e-6
    )


def test_the_command(run, capsys):
    assert export_results.main([str(run), '--to', 'csv', 'npz', '--out', str(run / 'mine')]) == 0
    assert (run / 'mine/csv/keypoints.csv').is_file() and (run / 'mine/npz/sub/a.npz').is_file()
    assert export_results.main(['--list']) == 0
    listed = capsys.readouterr().out
    assert all(f'\n{name} ' in listed for name in ('coco', 'rrd'))
    assert export_results.main([str(run), '--to', 'jpeg2000']) == 2
    assert "unknown export formats ['jpeg2000']" in capsys.readouterr().err


def test_wrong_folders_are_refused(tmp_path, film):
    with pytest.raises(ValueError, match='there is no such folder'):
        RunFolder(tmp_path / 'nowhere')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='no results in it'):
        RunFolder(tmp_path / 'empty')
    with pytest.raises(ValueError, match=r"'exr' needs results of depth or normal .*found pose"):
        export_run(film, ['exr'])
    with pytest.raises(ValueError, match=r'do not name their image; pass images=FOLDER'):
        export_run(film, ['dwpose'])


def test_frames_of_a_video_go_with_their_annotations(film):
    from fractions import Fraction

    import av

    path = film.parent / 'film.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = 48, 64, 'yuv420p'
        for number in range(3):
            picture = np.full((48, 64, 3), 60 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='bgr24')))
        container.mux(stream.encode())
    [annotations] = export_run(film, ['coco'], images=path)['coco']
    entries = json.loads(annotations.read_text())['images']
    shades = [
        np.asarray(Image.open(annotations.parent / 'images' / entry['file_name'])).mean()
        for entry in entries
    ]
    np.testing.assert_allclose(shades, [0, 60, 120], atol=4)


def test_a_video_without_results_of_people_says_what_it_lacks(tmp_path):
    (tmp_path / 'out/seg').mkdir(parents=True)
    (tmp_path / 'out/seg/film.mp4').write_bytes(b'')
    assert list(RunFolder(tmp_path / 'out').films) == ['film']
    with pytest.raises(ValueError, match='found none; videos keep their maps with --save-frames'):
        export_run(tmp_path / 'out', ['parts'])


def test_a_format_of_ones_own(film):
    @register_export('count', needs=('pose',))
    def write_count(run, out):
        """Number of people."""
        path = out / 'count.txt'
        path.write_text(str(sum(len(record.people) for record in run.records())))
        return [path]

    try:
        [path] = export_run(film, ['count'])['count']
        assert path.read_text() == '3' and EXPORTS['count'].text == 'Number of people'
        with pytest.raises(ValueError, match='registered already'):
            register_export('count', needs=('pose',))(write_count)
    finally:
        EXPORTS.pop('count')


def test_rerun_reads_its_recording(run):
    reading = pytest.importorskip('rerun.chunk', reason='rerun-sdk is an extra')
    [path] = export_run(run, ['rrd'])['rrd']
    found = {}
    for chunk in reading.RrdReader(path).stream():
        found.setdefault(chunk.entity_path, {}).update(chunk.to_record_batch().to_pydict())
    place = '/sub/a/photo/person1/keypoints'
    kept = person(36.0)['keypoints'][:307]  # the last is below the threshold
    np.testing.assert_allclose(found[place]['Points2D:positions'][0], kept)
    assert found[place]['Points2D:keypoint_ids'][0] == list(range(307))
    assert {
        f'/sub/a/{name}' for name in ('photo/parts', 'depth', 'normals', 'camera', 'points')
    } <= (found.keys())
    assert found['/sub/a/camera']['Pinhole:image_from_camera'][0][0][0] == pytest.approx(50)


def test_csv_cells_of_missing_points_are_empty(film):
    content = json.loads((film / 'pose/film.json').read_text())
    content['frames'][0]['people'][0]['keypoints'][3] = None
    (film / 'pose/film.json').write_text(json.dumps(content))
    [path] = export_run(film, ['csv'])['csv']
    with path.open(newline='') as file:
        row = next(csv.DictReader(file))
    assert row[f'{NAMES[3]}_x'] == '' and row[f'{NAMES[4]}_x'] != ''


def test_the_camera_of_a_pointmap(run):
    from sapiens_inference.outputs.exports.rerun import focal_length

    with np.load(run / 'pointmap/sub/a.npz') as content:
        assert focal_length(content['points']) == pytest.approx(50, rel=1e-5)


def test_a_video_is_decoded_only_for_formats_that_show_it(film, monkeypatch):
    from sapiens_inference.outputs.exports import run_folder

    def decode(video, name):
        raise AssertionError(f'{video} was decoded')

    monkeypatch.setattr(run_folder.RunFolder, '_input', lambda *_: film / 'film.mp4')
    monkeypatch.setattr(run_folder, 'open_video', decode)
    export_run(film, ['csv', 'csv_long', 'npz', 'trc', 'openpose'])
    with pytest.raises(AssertionError, match='was decoded'):
        export_run(film, ['dwpose'])
