# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Exported results, read back by the tools that their users use."""

import csv
import json

import export_results
import numpy as np
import pandas
import pytest
import trimesh
from exported_people import NAMES, person
from PIL import Image

from sapiens_inference.outputs.exports import EXPORTS, export_run, register_export
from sapiens_inference.outputs.exports.run_folder import RunFolder


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
    assert header['DataRate'] == '25.0000'  # the person is missing in the second of three frames
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


def make_film(path):
    """A video of three frames that brighten."""
    from fractions import Fraction

    import av

    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = 48, 64, 'yuv420p'
        for number in range(3):
            picture = np.full((48, 64, 3), 60 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='bgr24')))
        container.mux(stream.encode())
    return path


def test_frames_of_a_video_go_with_their_annotations(film):
    path = make_film(film.parent / 'film.mp4')
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
    place = '/sub/a/photo/people/1/keypoints'
    kept = person(36.0)['keypoints'][:307]  # the last is below the threshold
    np.testing.assert_allclose(found[place]['Points2D:positions'][0], kept)
    assert found[place]['Points2D:keypoint_ids'][0] == list(range(307))
    assert {
        f'/sub/a/{name}' for name in ('photo/parts', 'depth', 'normals', 'camera', 'points')
    } <= (found.keys())
    assert found['/sub/a/camera']['Pinhole:image_from_camera'][0][0][0] == pytest.approx(50)


def test_rerun_clears_people_who_have_left(film):
    reading = pytest.importorskip('rerun.chunk', reason='rerun-sdk is an extra')
    [path] = export_run(film, ['rrd'], images=make_film(film.parent / 'film.mp4'))['rrd']
    logged = {}
    for chunk in reading.RrdReader(path).stream():
        columns = chunk.to_record_batch().to_pydict()
        logged.setdefault(chunk.entity_path, []).extend(columns.get('input', []))
    assert sorted(logged['/film/photo/people']) == [0, 1, 2]
    assert sorted(set(logged['/film/photo/people/7/box'])) == [0, 2]


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


def test_every_result_finds_its_own_input(run, tmp_path):
    photos = tmp_path / 'photos'
    Image.fromarray(np.full((10, 12, 3), 9, np.uint8)).save(photos / 'b.bmp')
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(run / 'seg/b.png')
    (photos / 'list.txt').write_text('sub/a.png\nb.bmp\n')
    for images in (photos, photos / '**/*.*', photos / 'list.txt'):
        found = {record.name: record.image for record in RunFolder(run, images).records()}
        assert found == {'sub/a': photos / 'sub/a.png', 'b': photos / 'b.bmp'}
    # The second of two runs into one folder.
    found = {record.name: record.image for record in RunFolder(run, photos / 'b.bmp').records()}
    assert found == {'sub/a': photos / 'sub/a.png', 'b': photos / 'b.bmp'}
    (run / 'pose/sub/a.json').unlink()
    found = {record.name: record.image for record in RunFolder(run, photos / 'b.bmp').records()}
    assert found == {'sub/a': None, 'b': photos / 'b.bmp'}


def test_photos_in_a_folder_called_like_a_video(run):
    (run / 'seg/sub.mp4').write_bytes(b'')
    assert [record.stem for record in RunFolder(run).records()] == ['sub/a']


def test_frames_with_files_of_their_own_are_exported_once(film):
    """As without pictures: no video beside the files tells that these are frames."""
    whole = film / 'pose/film.json'
    for entry in json.loads(whole.read_text())['frames']:
        path = film / f'pose/film/{entry["frame"]:06d}.json'
        path.parent.mkdir(exist_ok=True)
        source = {'name': 'film', 'path': None, 'frame': entry['frame'], 'time': entry['time']}
        path.write_text(json.dumps({'source': source, 'people': entry['people'], 'names': NAMES}))
    assert [record.stem for record in RunFolder(film).records()] == [
        f'film/{number:06d}' for number in range(3)
    ]
    [path] = export_run(film, ['csv'])['csv']
    assert pandas.read_csv(path)['frame'].tolist() == [0, 2, 2]


def test_photos_that_are_not_at_hand_are_left_out(run, tmp_path, warned):
    """The second of two runs into one folder knows its own photos only."""
    (run / 'pose/sub/a.json').unlink()
    for task in ('seg', 'depth', 'pointmap'):
        suffix = {'seg': 'png', 'depth': 'npy', 'pointmap': 'npz'}[task]
        content = (run / f'{task}/sub/a.{suffix}').read_bytes()
        (run / f'{task}/z.{suffix}').write_bytes(content)
    photo = tmp_path / 'photos/z.png'
    photo.write_bytes((tmp_path / 'photos/sub/a.png').read_bytes())
    formats = ['cutouts', 'parts', 'ply', 'rrd']
    written = export_run(run, formats, images=[tmp_path / 'nowhere.png', photo])
    names = [path.name for name in formats for path in written[name]]
    assert names == ['z.png', 'z_02_part2.png', 'z_22_part22.png', 'z.ply', 'run.rrd']
    assert len(warned) == 4
    assert all('1 images or frames are left out: the results do not name' in w for w in warned)
    with pytest.raises(ValueError, match=r'out: the results do not name their image; pass images='):
        export_run(run, ['cutouts'])


def test_maps_of_videos_that_are_not_at_hand(run):
    for name in ('b', 'c'):
        (run / f'depth/{name}').mkdir()
        (run / f'depth/{name}.mp4').write_bytes(b'')
        np.save(run / f'depth/{name}/000003.npy', np.zeros((8, 8), np.float32))
    written = export_run(run, ['exr'])['exr']
    assert [path.relative_to(run / 'exports/exr').as_posix() for path in written] == [
        'sub/a.exr',
        'b/000003.exr',
        'c/000003.exr',
    ]


def test_an_interrupted_export_leaves_what_was_there(film):
    @register_export('slow', needs=('pose',))
    def write_slow(run, out):
        """Never done."""
        (out / 'keypoints.csv').write_text('half')
        raise KeyboardInterrupt

    place = film / 'exports/slow'
    place.mkdir(parents=True)
    (place / 'keypoints.csv').write_text('whole')
    try:
        with pytest.raises(KeyboardInterrupt):
            export_run(film, ['slow'])
    finally:
        EXPORTS.pop('slow')
    assert (place / 'keypoints.csv').read_text() == 'whole'
    assert list(place.parent.iterdir()) == [place]
