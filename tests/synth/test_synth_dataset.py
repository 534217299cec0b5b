# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Files on disk: layout, splits, same bytes for any workers, resume after kill -9, broken scans."""

import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from sapiens_synth import contact_sheet, dataset, get_preset, render_dataset, render_sample
from sapiens_synth.dataset import is_val

TOOL = 'tools/data/render_humans.py'
SMALL = get_preset('quickstart', size=(64, 48))


def contents(root):
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in sorted(Path(root).rglob('*'))
        if p.is_file()
    }


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    root = tmp_path_factory.mktemp('synth') / 'one'
    result = render_dataset(root, 8, SMALL, seed=3, val_fraction=0.25, progress=False)
    assert (result['rendered'], result['train'], result['val']) == (8, 6, 2)
    return root


def test_layout(undisturbed):
    stems = [f'{i:06d}' for i in range(8)]
    for folder, suffix in (
        ('images', '.jpg'), ('masks', '.png'), ('depths', '.npy'), ('normals', '.npy'), ('segmentations', '.png'),
        ('albedos', '.png'), ('alphas', '.png'),
    ):  # fmt: skip
        assert sorted(p.name for p in (undisturbed / folder).iterdir()) == [
            s + suffix for s in stems
        ]
    train = (undisturbed / 'train.txt').read_text().split()
    val = (undisturbed / 'val.txt').read_text().split()
    assert sorted(train + val) == stems
    manifest = json.loads((undisturbed / 'manifest.json').read_text())
    assert manifest['seed'] == 3
    assert 'ynthetic' in manifest['description']
    depth = np.load(undisturbed / 'depths' / '000000.npy')
    normal = np.load(undisturbed / 'normals' / '000000.npy')
    mask = cv2.imread(str(undisturbed / 'masks' / '000000.png'), cv2.IMREAD_UNCHANGED)
    label = cv2.imread(str(undisturbed / 'segmentations' / '000000.png'), cv2.IMREAD_UNCHANGED)
    assert (depth.dtype, depth.shape) == (np.float32, (64, 48))
    assert (normal.dtype, normal.shape) == (np.float16, (64, 48, 3))
    assert set(np.unique(mask)) == {0, 255}
    albedo = cv2.imread(str(undisturbed / 'albedos' / '000000.png'), cv2.IMREAD_UNCHANGED)
    alpha = cv2.imread(str(undisturbed / 'alphas' / '000000.png'), cv2.IMREAD_UNCHANGED)
    assert label.max() < 28
    assert (albedo.dtype, albedo.shape) == (np.uint8, (64, 48, 3))
    assert ((albedo.sum(-1) > 0) == (mask > 0)).all()
    assert (alpha.dtype, alpha.shape) == (np.uint8, (64, 48))
    assert ((depth > 0) == (mask > 0)).all()


def test_annotations_have_the_humans5k_layout(root, undisturbed):
    golden = json.loads((root / 'tests/data/golden/goliath_eval/annotations.json').read_text())
    for split in ('train', 'val'):
        data = json.loads(
            (undisturbed / 'annotations' / f'person_keypoints_{split}.json').read_text()
        )
        assert data['info']['goliath_info'] == golden['info']['goliath_info']
        assert data['categories'] == golden['categories']
        assert set(golden['annotations'][0]) <= set(data['annotations'][0])
        stems = (undisturbed / f'{split}.txt').read_text().split()
        assert [Path(i['file_name']).stem for i in data['images']] == stems
        assert [i['id'] for i in data['images']] == list(range(1, len(stems) + 1))
        ids = data['info']['goliath_info']
        for image in data['images']:
            assert (image['height'], image['width']) == (64, 48)
            assert {'fx', 'fy', 'cx', 'cy', 'world_to_camera'} <= set(image['camera'])
            # 25 to 50 mm on a full frame, whose long side has 36 mm.
            assert 25 <= image['camera']['fx'] * 36 / 64 <= 50
        for annotation in data['annotations']:
            flat = np.array(annotation['goliath_wholebody_kpts']).reshape(308, 3)
            assert set(np.unique(flat[:, 2])) <= {0, 1, 2}
            for key, group in (('keypoints', 'body'), ('foot_kpts', 'foot'), ('face_kpts', 'face'),
                               ('lefthand_kpts', 'left_hand'), ('righthand_kpts', 'right_hand')):  # fmt: skip
                np.testing.assert_array_equal(
                    np.array(annotation[key]).reshape(-1, 3), flat[ids[f'{group}_keypoint_ids']]
                )
            x, y, w, h = annotation['bbox']
            assert 0 <= x < x + w <= 48
            assert 0 <= y < y + h <= 64
            assert 0 < annotation['area'] <= w * h


def test_workers_do_not_change_a_byte(undisturbed, tmp_path):
    render_dataset(tmp_path / 'two', 8, SMALL, seed=3, workers=2, val_fraction=0.25, progress=False)
    assert contents(tmp_path / 'two') == contents(undisturbed)


def test_another_seed_is_another_data_set():
    a, b = (render_sample(seed, 0, SMALL)['image'] for seed in (3, 4))
    assert (a != b).any()


def render_until_killed(out):
    """Render with two workers; the one that writes this file dies in the middle, and takes all along."""
    os.setsid()  # a group of its own, so that the signal reaches the workers and not the tests
    whole_write = dataset.write_atomic

    def write_atomic(path, data):
        if path == out / 'depths' / '000004.npy':
            path.with_name(f'.{path.name}.{os.getpid()}.tmp').write_bytes(data[:100])
            os.killpg(0, signal.SIGKILL)
        whole_write(path, data)

    dataset.write_atomic = write_atomic
    render_dataset(out, 8, SMALL, seed=3, workers=2, val_fraction=0.25, progress=False)


def test_kill_dash_nine_then_rerun_gives_the_same_bytes(undisturbed, tmp_path):
    out = tmp_path / 'killed'
    process = multiprocessing.get_context('fork').Process(target=render_until_killed, args=(out,))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    done = {path.stem for path in out.glob('records/*.json')}
    assert 2 <= len(done) < 8 and '000004' not in done
    assert (out / 'images/000004.jpg').exists() and len(list(out.glob('depths/.*.tmp'))) == 1
    assert not (out / 'train.txt').exists()
    result = render_dataset(out, 8, SMALL, seed=3, val_fraction=0.25, progress=False)
    assert (result['rendered'], result['reused']) == (8 - len(done), len(done))
    assert contents(out) == contents(undisturbed)


def test_a_killed_worker_ends_the_run_which_can_be_continued(undisturbed, tmp_path, monkeypatch):
    """As the kernel does when memory runs out: one worker dies, the run must not wait for it for ever."""
    out = tmp_path / 'killed'
    whole_write = dataset.write_atomic

    def write_atomic(path, data):
        if path == out / 'depths' / '000004.npy':
            os.kill(os.getpid(), signal.SIGKILL)
        whole_write(path, data)

    monkeypatch.setattr(dataset, 'write_atomic', write_atomic)
    with pytest.raises(ChildProcessError, match='worker was killed .* run the same command again'):
        render_dataset(out, 8, SMALL, seed=3, workers=2, val_fraction=0.25, progress=False)
    monkeypatch.undo()
    render_dataset(out, 8, SMALL, seed=3, workers=2, val_fraction=0.25, progress=False)
    assert contents(out) == contents(undisturbed)


def test_a_finished_data_set_is_not_rendered_again(undisturbed):
    before = contents(undisturbed)
    result = render_dataset(undisturbed, 8, SMALL, seed=3, val_fraction=0.25, progress=False)
    assert (result['rendered'], result['reused']) == (0, 8)
    assert contents(undisturbed) == before


def test_contradicting_settings_are_refused(undisturbed):
    with pytest.raises(ValueError, match=r'seed = 3, now asked for 4'):
        render_dataset(undisturbed, 8, SMALL, seed=4, val_fraction=0.25, progress=False)
    with pytest.raises(ValueError, match='config'):
        config = get_preset('quickstart', size=(48, 48))
        render_dataset(undisturbed, 8, config, seed=3, val_fraction=0.25, progress=False)
    with pytest.raises(ValueError, match='already holds 8 images'):
        render_dataset(undisturbed, 4, SMALL, seed=3, val_fraction=0.25, progress=False)
    with pytest.raises(ValueError, match='at least 1'):
        render_dataset(undisturbed, 0, SMALL)
    with pytest.raises(ValueError, match='val_fraction'):
        render_dataset(undisturbed, 8, SMALL, val_fraction=1.0)


def test_held_out_images_are_spread_and_stable():
    chosen = [i for i in range(1000) if is_val(i, 0.1)]
    assert len(chosen) == 100
    assert np.ptp(np.diff(chosen)) <= 1
    assert not any(is_val(i, 0.0) for i in range(50))


def test_contact_sheet(undisturbed, tmp_path):
    sheet = contact_sheet(undisturbed, rows=3, tile_height=96)
    assert sheet.shape == (2 * 96, 2 * 5 * 72 + 12, 3)
    with pytest.raises(ValueError, match='no finished image'):
        contact_sheet(tmp_path)


def scan_folder(tmp_path):
    folder = tmp_path / 'scans'
    folder.mkdir()
    figure = trimesh.creation.capsule(height=1.3, radius=0.2)
    figure.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    figure.visual.vertex_colors = [200, 80, 60, 255]
    figure.export(folder / 'a.ply')
    figure.export(folder / 'b.glb')
    (folder / 'c_broken.obj').write_text('v 0 0 0\nf 1 2 9\n')
    return folder


def test_scans_get_depth_and_normals_and_a_broken_one_is_named_and_skipped(tmp_path, caplog):
    folder = scan_folder(tmp_path)
    out = tmp_path / 'out'
    names = tuple(sorted(str(p) for p in folder.iterdir()))
    config = get_preset('thuman2', size=(64, 48), scans=names)
    with caplog.at_level(logging.WARNING):
        result = render_dataset(out, 9, config, progress=False)
    assert [item['index'] for item in result['skipped']] == [6, 7, 8]
    assert 'c_broken.obj' in caplog.text
    assert 'skipped 3 image(s)' in caplog.text
    framings = [
        json.loads(p.read_text())['image']['framing'] for p in sorted(out.glob('records/*.json'))
    ]
    assert framings == ['face', 'upper', 'full'] * 2
    assert len(list((out / 'normals').iterdir())) == 6
    assert not list((out / 'segmentations').iterdir())
    depth = np.load(out / 'depths' / '000002.npy')
    assert 0.05 < (depth > 0).mean() < 0.9
    data = json.loads((out / 'annotations' / 'person_keypoints_train.json').read_text())
    assert data['annotations'] == []


@pytest.mark.parametrize('preset', ['quickstart', 'thuman2'])
def test_no_scan_is_in_both_splits(tmp_path, caplog, preset):
    folder = scan_folder(tmp_path)
    scans = (str(folder / 'a.ply'), str(folder / 'b.glb'))
    config = get_preset(preset, size=(16, 16), scans=scans)
    found = render_dataset(tmp_path / 'out', 12, config, val_fraction=0.5, progress=False)
    assert (found['train'], found['val']) == (6, 6)
    seen = {}
    for split in ('train', 'val'):
        path = tmp_path / f'out/annotations/person_keypoints_{split}.json'
        seen[split] = {
            name for image in json.loads(path.read_text())['images'] for name in image['scans']
        }
    assert seen == {'train': {'a.ply'}, 'val': {'b.glb'}}
    assert caplog.text == ''
    render_dataset(tmp_path / 'none', 3, config, val_fraction=0.1, progress=False)
    assert 'val.txt is empty: val_fraction = 0.1 of 2 people is none' in caplog.text


def test_several_scans_in_a_scene(tmp_path):
    folder = scan_folder(tmp_path)
    names = (str(folder / 'a.ply'), str(folder / 'b.glb'))
    config = get_preset('crowd', size=(64, 48), scans=names, people=(3, 3))
    sample = render_sample(0, 1, config)
    assert sample['meta']['scans'][0] == 'b.glb' and len(sample['meta']['scans']) == 3
    # Three capsules side by side: some row of the mask crosses three of them, or their depth jumps.
    depth = np.where(sample['mask'] > 0, sample['depth'], 0)
    edges = (np.abs(np.diff(depth, axis=1)) > 0.1).sum(1)
    assert edges.max() >= 4
    assert (sample['label'], sample['annotations']) == (None, [])


def test_only_broken_scans_is_an_error(tmp_path):
    path = tmp_path / 'x.obj'
    path.write_text('nothing')
    config = get_preset('quickstart', size=(64, 48), scans=(str(path),))
    with pytest.raises(ValueError, match=r'no image could be rendered.*x\.obj'):
        render_dataset(tmp_path / 'out', 2, config, progress=False)


def test_background_folder(tmp_path):
    folder = tmp_path / 'bg'
    folder.mkdir()
    with pytest.raises(ValueError, match='holds no image'):
        render_sample(0, 0, get_preset('quickstart', size=(64, 48), backgrounds=str(folder)))
    cv2.imwrite(str(folder / 'blue.png'), np.full((40, 30, 3), (255, 0, 0), np.uint8))
    sample = render_sample(0, 0, get_preset('quickstart', size=(64, 48), backgrounds=str(folder)))
    corner = sample['image'][sample['mask'] == 0]
    assert np.median(corner, axis=0).tolist() == [255, 0, 0]
    (tmp_path / 'bad').mkdir()
    (tmp_path / 'bad' / 'a.jpg').write_text('x')
    with pytest.raises(ValueError, match=r'a\.jpg cannot be decoded'):
        render_sample(
            0, 0, get_preset('quickstart', size=(64, 48), backgrounds=str(tmp_path / 'bad'))
        )


def test_command_line(tmp_path, run_tool, caplog):
    out = tmp_path / 'cli'
    size = ('--size', 64, 48, '--detail', 'low')
    with caplog.at_level(logging.INFO):
        run_tool(TOOL, '--out', out, '--count', 3, *size, '--people', '1-2', '--preview')
    assert 'rendered 3, reused 0' in caplog.text
    assert cv2.imread(str(out / 'preview.png')).shape == (2 * 384, 2 * 5 * 288 + 12, 3)
    config = json.loads((out / 'manifest.json').read_text())['config']
    assert (config['size'], config['people'], config['detail']) == ([64, 48], [1, 2], 'low')
    file = tmp_path / 'file'
    file.write_text('')
    for arguments, message in (
        (('--out', out, '--count', 3, *size), 'rendered with config'),
        (('--out', file, '--count', 3, *size), 'Not a directory'),
        (('--out', tmp_path / 'x', '--backgrounds', tmp_path / 'nowhere'), 'nowhere does not'),
        (('--out', tmp_path / 'x', '--preset', 'thuman2'), 'give their folder with --scans'),
        (('--out', tmp_path / 'x', '--people', '4-1'), '1 <= min <= max'),
    ):
        with pytest.raises(SystemExit, match=message):
            run_tool(TOOL, *arguments)
    assert not (tmp_path / 'x').exists()


def test_command_line_needs_no_installation(root, tmp_path):
    """From any folder; errors without a traceback."""
    failed = subprocess.run(
        [sys.executable, str(root / TOOL), '--out', 'x', '--scans', 'nowhere'],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert failed.returncode != 0
    assert 'error: scan folder nowhere does not exist' in failed.stderr
    assert 'Traceback' not in failed.stderr
