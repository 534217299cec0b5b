# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""SAM 3D Body's parquet files: 70 points by name among the 308, and every form that is not understood."""

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope

pa = pytest.importorskip(
    'pyarrow', reason='these annotations are parquet files', exc_type=ImportError
)
import pyarrow.parquet as pq  # noqa: E402
from short_training import heads_without_gradient, train  # noqa: E402

from sapiens_pose.datasets import NameMatchedDataset, Sam3dBodyDataset  # noqa: E402
from sapiens_pose.layouts import keypoint_names  # noqa: E402

WIDTH, HEIGHT = 120, 160
NAMES = ['COCO_train2014_000000000009.jpg', 'COCO_train2014_000000000025.jpg']


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmpose')


def rows(count=2, **changes):
    """Columns of a file as the set has them."""
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.uniform([20, 20], [100, 140], (count, 70, 2)), np.ones((count, 70, 1))], axis=2
    )
    columns = {
        'dataset': ['coco'] * count,
        'image': [NAMES[i % 2] for i in range(count)],
        'person_id': list(range(count)),
        'subject_idx': [0] * count,
        'subject_cnt': [1] * count,
        'keypoints_2d': points.tolist(),
        'keypoints_3d': rng.normal(size=(count, 70, 4)).tolist(),
        'model_params': rng.normal(size=(count, 5)).tolist(),
        'mhr_valid': [True] * count,
        'date': ['2025-11-19'] * count,
        'bbox': [[15.0, 15.0, 105.0, 145.0]] * count,
        'bbox_format': ['xyxy'] * count,
        'bbox_score': [1.0] * count,
        'cam_int': np.eye(3)[None].repeat(count, 0).tolist(),
        'mask_size': [[HEIGHT, WIDTH]] + [[-1, -1]] * (count - 1),
        'mask_cnts': ['0' * 9] + [''] * (count - 1),
        **changes,
    }
    return {key: value for key, value in columns.items() if value is not None}


def write(folder, *files):
    folder.mkdir(parents=True, exist_ok=True)
    for index, columns in enumerate(files):
        pq.write_table(pa.table(columns), folder / f'{index:06d}.parquet')
    return folder


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'train2014'
    folder.mkdir()
    for name in NAMES:
        cv2.imwrite(str(folder / name), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    return folder


def read(folder, photos, **kwargs):
    return Sam3dBodyDataset(ann_file=str(folder), data_prefix={'img': str(photos)}, **kwargs)


def test_people_of_all_files_in_order(tmp_path, photos, caplog):
    first, second = rows(), rows(1)
    folder = write(tmp_path / 'coco_train', first, second)
    found = read(folder, photos)
    assert len(found) == 3
    sample = found[0]
    np.testing.assert_allclose(
        sample['keypoints'][0], np.array(first['keypoints_2d'])[0, :, :2], rtol=1e-6
    )
    assert sample['keypoints_visible'].shape == (1, 70) and sample['keypoints_visible'].all()
    np.testing.assert_array_equal(sample['bbox'], [[15, 15, 105, 145]])
    assert sample['segmentation'] == {'size': [HEIGHT, WIDTH], 'counts': '0' * 9}
    assert found[1]['segmentation'] is None
    assert [found[i]['img_path'] for i in range(2)] == [str(photos / name) for name in NAMES]


def test_seventy_of_308_by_name(tmp_path, photos):
    columns = rows()
    folder = write(tmp_path / 'coco_train', columns)
    inner = {
        'type': 'sapiens_pose.Sam3dBodyDataset',
        'ann_file': str(folder),
        'data_prefix': {'img': str(photos)},
    }
    sample = NameMatchedDataset(layout='goliath', datasets=[inner])[0]
    assert sample['keypoints'].shape == (1, 308, 2)
    visible = sample['keypoints_visible'][0]
    visible = visible[..., 0] if visible.ndim == 2 else visible
    assert (visible[:70] > 0).all() and not visible[70:].any()
    names = keypoint_names('goliath')
    assert (names[0], names[41], names[69]) == ('nose', 'right_wrist', 'neck')
    np.testing.assert_allclose(
        sample['keypoints'][0, 41], columns['keypoints_2d'][0][41][:2], rtol=1e-6
    )


def test_points_beyond_the_photo_are_unlabelled(tmp_path, photos):
    points = np.array(rows()['keypoints_2d'])
    points[0, 3, :2] = -4, 50
    points[0, 4, :2] = 30, HEIGHT + 1
    points[0, 5, 2] = 0
    folder = write(tmp_path / 's', rows(keypoints_2d=points.tolist()))
    visible = read(folder, photos)[0]['keypoints_visible'][0]
    assert np.flatnonzero(visible == 0).tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    'form', ['flat', 'without visibility', 'scores', 'xywh', 'float32', 'fixed']
)
def test_forms_that_are_understood(tmp_path, photos, form):
    columns = rows()
    points = np.array(columns['keypoints_2d'])
    if form == 'flat':
        columns['keypoints_2d'] = points.reshape(2, -1).tolist()
    elif form == 'without visibility':
        columns['keypoints_2d'] = points[..., :2].tolist()
    elif form == 'scores':
        points[..., 2] = 0.25
        columns['keypoints_2d'] = points.tolist()
    elif form == 'xywh':
        columns.update(bbox=[[15.0, 15.0, 90.0, 130.0]] * 2, bbox_format=['xywh'] * 2)
    elif form == 'float32':
        kind = pa.list_(pa.list_(pa.float32()))
        columns['keypoints_2d'] = pa.array(columns['keypoints_2d'], kind)
    else:
        kind = pa.list_(pa.list_(pa.float64(), 3), 70)
        columns['keypoints_2d'] = pa.array(columns['keypoints_2d'], kind)
    sample = read(write(tmp_path / 's', columns), photos)[1]
    np.testing.assert_allclose(sample['keypoints'][0], points[1, :, :2], rtol=1e-6)
    assert (sample['keypoints_visible'] == (0.25 if form == 'scores' else 1)).all()
    np.testing.assert_array_equal(sample['bbox'], [[15, 15, 105, 145]])


def changed(kind):
    columns = rows()
    points = np.array(columns['keypoints_2d'])
    if kind == 'other points':
        columns['keypoints_2d'] = points[:, :60].tolist()
    elif kind == 'ragged':
        columns['keypoints_2d'][0] = columns['keypoints_2d'][0][:5]
    elif kind == 'no numbers':
        columns['keypoints_2d'] = ['70 points'] * 2
    elif kind == 'visibility':
        points[..., 2] = 7
        columns['keypoints_2d'] = points.tolist()
    elif kind == 'box form':
        columns['bbox_format'] = ['cxcywh', 'xyxy']
    elif kind == 'box':
        columns['bbox'] = [[1.0, 2.0, 3.0]] * 2
    elif kind == 'mask':
        columns['mask_size'] = [[1, 2, 3]] * 2
    elif kind == 'missing':
        del columns['bbox_format']
    elif kind == 'empty row':
        columns['bbox'][0] = None
    return columns


@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        ('other points', r'expected keypoints_2d of 70 points .* got \(60, 3\) per person'),
        ('ragged', r"column 'keypoints_2d': rows of different lengths, such as \[5, 70\]"),
        ('no numbers', "column 'keypoints_2d': expected numbers, got string"),
        ('visibility', r'third value of keypoints_2d is neither .* \[7\.0\] to \[7\.0\]'),
        ('box form', r"bbox_format \['cxcywh'\] is neither xyxy nor xywh"),
        ('box', r'expected bbox of 4 numbers per person, got \(3,\)'),
        ('mask', r'expected mask_size of \(height, width\), got \(3,\)'),
        ('missing', r"\['bbox_format'\] are missing"),
        ('empty row', "column 'bbox': 1 rows are empty"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(tmp_path, photos, kind, message):
    folder = write(tmp_path / 's', changed(kind))
    with pytest.raises(ValueError, match=rf'000000\.parquet.*{message}'):
        read(folder, photos)


def test_bad_people_are_named_when_they_are_used(tmp_path, photos):
    points = np.array(rows(5)['keypoints_2d'])
    points[1, 7, 0] = np.nan
    points[2, :, :2] += 1000  # of another photo, or of another scale
    columns = rows(
        5,
        keypoints_2d=points.tolist(),
        image=[NAMES[0]] * 3 + ['../outside.jpg', NAMES[1]],
        bbox=[[15.0, 15.0, 15.0, 145.0]] + [[15.0, 15.0, 105.0, 145.0]] * 4,
        mask_size=[[-1, -1]] * 4 + [[HEIGHT, 7]],
        mask_cnts=[''] * 4 + ['00'],
    )
    found = read(write(tmp_path / 's', columns), photos)
    for index, message in enumerate(
        (
            'row 0, image .*: expected a box with positive width and height',
            'row 1, image .*: labelled keypoints are NaN or infinite',
            'row 2, image .*: 100% of the labelled keypoints lie more than a box away',
            'row 3, image .*: expected an image below the image folder',
            r'the mask of .*025\.jpg is \[160, 7\], the photo \[160, 120\]',
        )
    ):
        with pytest.raises(ValueError, match=message):
            found[index]


def test_people_left_out_are_counted(tmp_path, photos, monkeypatch):
    lines = []
    monkeypatch.setattr(
        'sapiens_pose.datasets.sam3d_body.MMLogger.get_current_instance',
        lambda: type('Log', (), {'info': lambda self, text: lines.append(text)})(),
    )
    points = np.array(rows(3)['keypoints_2d'])
    points[2, 3:, 2] = 0
    columns = rows(3, keypoints_2d=points.tolist(), mhr_valid=[True, False, True])
    folder = write(tmp_path / 's', columns)
    assert len(read(folder, photos)) == 1
    assert '3 people, points x, y and flags [0.0] to [1.0], boxes' in lines[0]
    assert '1 masks' in lines[0]
    assert lines[1].endswith('1 samples of 1 files; 3 people, 1 not fitted, 1 fewer than 8 points')
    assert len(read(folder, photos, valid_only=False, min_keypoints=1)) == 3
    with pytest.raises(ValueError, match=r'no person to read .*not fitted.: 1'):
        read(folder, photos, min_keypoints=71)


def test_photos_under_their_names_of_2017(tmp_path, photos):
    for name in NAMES:
        (photos / name).rename(photos / name.rpartition('_')[2])
    found = read(write(tmp_path / 's', rows()), photos)
    assert found[0]['img_path'] == str(photos / '000000000009.jpg')


def test_files_that_are_no_parquet(tmp_path, photos):
    folder = tmp_path / 's'
    folder.mkdir()
    with pytest.raises(
        ValueError, match=r'expected a parquet file, or a folder of NNNNNN\.parquet'
    ):
        read(folder, photos)
    (folder / '000000.parquet').write_bytes(b'no parquet at all')
    with pytest.raises(ValueError, match=r'000000\.parquet cannot be read as parquet'):
        read(folder, photos)
    with pytest.raises(ValueError, match='bbox_file is not supported'):
        read(folder, photos, bbox_file='boxes.json', test_mode=True)


@pytest.mark.slow
def test_the_recipe_trains_some_steps(root, tmp_path, photos):
    data = tmp_path / 'sam3d_body'
    write(data / 'coco_train', rows(8))
    (data / 'images').mkdir()
    photos.rename(data / 'images/train2014')
    options = {
        'data_root': str(data),
        'codec.input_size': (48, 64),
        'codec.heatmap_size': (12, 16),
        'codec.sigma': 1,
        'train_cfg.max_epochs': 1,
        'param_scheduler': [],
        'default_hooks.logger.interval': 1,
    }
    recipe = root / 'configs/pose/sapiens_0.3b_sam3d_body.py'
    runner = train(recipe, tmp_path / 'work', (64, 48), options)
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert len(losses) == 4 and np.isfinite(losses).all()
    assert not heads_without_gradient(runner)
    # The other 238 points have no target: their channels are left as they were.
    last = runner.model.head.final_layer.weight
    moved = runner.optim_wrapper.optimizer.state[last]['exp_avg'].flatten(1).any(dim=1)
    assert moved[:70].all() and not moved[70:].any()
