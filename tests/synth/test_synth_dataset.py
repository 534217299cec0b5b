# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Files on disk: layout, splits, same bytes for any workers, resume after kill -9, broken scans."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from sapiens_synth import contact_sheet, get_preset, render_dataset, render_sample
from sapiens_synth.dataset import is_val

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'data' / 'render_humans.py'
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
    assert label.max() < 28
    assert ((depth > 0) == (mask > 0)).all()


def test_annotations_have_the_humans5k_layout(undisturbed):
    golden = json.loads((ROOT / 'tests/data/golden/goliath_eval/annotations.json').read_text())
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


def command(out, *more):
    return [
        sys.executable, str(TOOL), '--out', str(out), '--preset', 'quickstart', '--size', '64', '48',
        '--count', '8', '--seed', '3', '--val-fraction', '0.25', *more,
    ]  # fmt: skip


@pytest.mark.slow
def test_kill_dash_nine_then_rerun_gives_the_same_bytes(undisturbed, tmp_path):
    out = tmp_path / 'killed'
    # A group of its own: workers must not survive to write on.
    process = subprocess.Popen(
        command(out, '--workers', '2'), start_new_session=True, stderr=subprocess.DEVNULL
    )
    deadline = time.time() + 600
    while len(list(out.glob('records/*.json'))) < 2 and time.time() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list(out.glob('records/*.json')))
    assert 2 <= done
    # What a kill in the middle of a write leaves behind: an unfinished image and a torn aside file.
    last = sorted(out.glob('records/*.json'))[-1]
    last.unlink()
    (out / 'images' / '.000007.jpg.1.tmp').write_bytes(b'torn')
    (out / 'depths' / f'{last.stem}.npy').write_bytes(b'')
    subprocess.run(command(out), check=True, stderr=subprocess.DEVNULL)
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
    with pytest.raises(ValueError, match=r'a\.jpg cannot be read'):
        render_sample(
            0, 0, get_preset('quickstart', size=(64, 48), backgrounds=str(tmp_path / 'bad'))
        )


@pytest.mark.slow
def test_command_line(tmp_path):
    out = tmp_path / 'cli'
    done = subprocess.run(
        [sys.executable, str(TOOL), '--out', str(out), '--count', '3', '--size', '64', '48', '--people', '1-2',
         '--detail', 'low', '--preview'], capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    assert 'rendered 3' in done.stderr
    assert (out / 'preview.png').exists()
    failed = subprocess.run(
        [sys.executable, str(TOOL), '--out', str(out), '--scans', str(tmp_path / 'nowhere')],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert failed.returncode != 0
    assert 'nowhere does not exist' in failed.stderr
    assert 'Traceback' not in failed.stderr
