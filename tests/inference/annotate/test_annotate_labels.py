# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels at scale: what is stored comes back, is checked, and can be corrected."""

import json

import cv2
import numpy as np
import pytest
from annotate_tasks import annotate, final_files, settings_for, write_grey

from sapiens_common.files.images import read_ids, read_image
from sapiens_common.files.maps import read_array
from sapiens_inference.annotate.dataset import check_names, read_samples
from sapiens_inference.annotate.review import merge, pick


def test_labels_come_back(photos, tmp_path):
    out = tmp_path / 'out'
    report = annotate(photos, out)
    assert (report.total['done'], report.total['aside']) == (20, 0)
    samples = list(read_samples(out / 'manifest.json', people=True))
    assert [sample.content['name'] for sample in samples] == [f'{i:04d}' for i in range(20)]
    for number in (0, 7, 8, 19):
        image = read_image(photos / f'{number:04d}.png')
        sample = samples[number]
        np.testing.assert_array_equal(read_image(sample.image), image)
        np.testing.assert_array_equal(read_ids(sample.file('.seg.png')), image[..., 0] > 127)
        depth = read_array(sample.file('.depth.npz'))
        assert depth.dtype == np.float16
        np.testing.assert_allclose(depth, image[..., 1] / 255, atol=5e-4)
        (person,) = sample.people
        row, column = np.unravel_index(image[..., 1].argmax(), image.shape[:2])
        assert person.keypoints[1, :2].tolist() == [column, row]
        assert person.keypoints[1, 2] == pytest.approx(image[..., 1].max() / 255)
        assert sample.content['quality']['foreground'] == pytest.approx(
            (image[..., 0] > 127).mean(), abs=1e-4
        )


def test_other_readers_take_the_shards(photos, tmp_path):
    webdataset = pytest.importorskip('webdataset')
    annotate(photos, tmp_path / 'out', settings_for(('seg',)))
    samples = list(
        webdataset.WebDataset(str(tmp_path / 'out/shards/000001.tar'), shardshuffle=False)
    )
    assert len(samples) == 8
    assert samples[0]['png'] == (photos / '0008.png').read_bytes()


def test_second_start_changes_nothing_and_does_nothing(photos, tmp_path):
    annotate(photos, tmp_path / 'a')
    annotate(photos, tmp_path / 'b')
    there = final_files(tmp_path / 'a')
    assert there == final_files(tmp_path / 'b')  # times and users are nowhere in the files
    again = annotate(photos, tmp_path / 'a')
    assert (again.total['done'], again.here) == (20, 0)
    assert there == final_files(tmp_path / 'a')


def test_manifest_ties_outputs_to_inputs(photos, tmp_path):
    import hashlib

    out = tmp_path / 'out'
    annotate(photos, out)
    manifest = json.loads((out / 'manifest.json').read_text())
    for name, digest in manifest['shards'].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
        shard = json.loads((out / name).read_text())
        assert shard['settings'] == manifest['settings_sha256']
        for file, said in shard['files'].items():
            content = (out / 'shards' / file).read_bytes()
            assert said == {'sha256': hashlib.sha256(content).hexdigest(), 'bytes': len(content)}
        for sample in shard['samples']:
            content = (photos / f'{sample["name"]}.png').read_bytes()
            assert sample['sha256'] == hashlib.sha256(content).hexdigest()
    assert manifest['settings']['versions']['torch']


def test_other_settings_or_inputs_are_refused(photos, tmp_path):
    out = tmp_path / 'out'
    annotate(photos, out)
    before = final_files(out)
    with pytest.raises(ValueError, match='begun with other settings .*batch_size: 8 there, 4 here'):
        annotate(photos, out, settings_for(batch_size=4))
    (photos / '9999.png').write_bytes((photos / '0000.png').read_bytes())
    with pytest.raises(ValueError, match=r'other inputs: .*9999.* is new'):
        annotate(photos, out)
    (photos / '9999.png').unlink()
    (photos / '0003.png').unlink()
    with pytest.raises(ValueError, match=r'other inputs: .*0003.* is gone'):
        annotate(photos, out)
    assert final_files(out) == before


def test_photos_that_training_cannot_read_are_stored_as_the_model_saw_them(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / 'a.tif'), pixels)
    alpha = np.dstack([pixels, np.full((24, 32), 100, np.uint8)])
    cv2.imwrite(str(folder / 'b.png'), alpha)
    annotate(folder, tmp_path / 'out', settings_for(('seg',)))
    first, second = read_samples(tmp_path / 'out/manifest.json')
    np.testing.assert_array_equal(read_image(first.image), pixels)
    assert second.content['notes'] == ['transparent pixels were laid over white']
    np.testing.assert_array_equal(
        read_ids(second.file('.seg.png')), read_image(second.image)[..., 0] > 127
    )


def test_photos_may_stay_where_they_are(photos, tmp_path):
    annotate(photos, tmp_path / 'out', settings_for(('seg',), images='refer'))
    sample = next(read_samples(tmp_path / 'out/manifest.json'))
    assert sample.content['members'] == ['.seg.png']
    assert sample.image == photos / '0000.png'


def test_names_of_labels_are_compared(photos, tmp_path):
    annotate(photos, tmp_path / 'out', settings_for(('pose',)))
    manifest = tmp_path / 'out/manifest.json'
    check_names(manifest, 'pose', ['left', 'right'])
    with pytest.raises(
        ValueError, match="2 names of pose, .* 2; number 1 is 'right', not 'middle'"
    ):
        check_names(manifest, 'pose', ['left', 'middle'])
    with pytest.raises(ValueError, match='no labels of seg; annotate with --tasks seg'):
        check_names(manifest, 'seg', ['background'])


def test_flags_say_what_to_look_at(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    write_grey(folder / 'dark.png', 20)
    annotate(folder, tmp_path / 'out')
    (sample,) = read_samples(tmp_path / 'out/manifest.json')
    assert sample.content['flags'] == ['empty mask', 'low scores']
    assert json.loads((tmp_path / 'out/log/report.json').read_text())['flags'] == {
        'empty mask': 1,
        'low scores': 1,
    }


def test_doubtful_labels_are_corrected_and_read_back(photos, tmp_path):
    """The whole way: picked, drawn, exported to COCO, changed as an annotator would, merged, read."""
    write_grey(photos / '0013.png', 20)
    out, review = tmp_path / 'out', tmp_path / 'review'
    annotate(photos, out)
    before = final_files(out)
    (sheet,) = pick(out / 'manifest.json', review, count=3)
    assert read_image(sheet).shape[1] > 1000
    key = '000001_000005'
    stems = sorted(path.stem for path in (review / 'images').iterdir())
    assert len(stems) == 3 and key in stems
    path = review / 'exports/coco/annotations.json'
    content = json.loads(path.read_text())
    image = next(i for i in content['images'] if i['file_name'] == f'{key}.png')
    assert (image['height'], image['width']) == (24, 32)
    (mine,) = (a for a in content['annotations'] if a['image_id'] == image['id'])
    mine.update(bbox=[1, 2, 10, 20], keypoints=[3.0, 4.0, 2, 0, 0, 0])
    path.write_text(json.dumps(content))
    assert merge(out / 'manifest.json', path) == 3
    samples = {s.key: s for s in read_samples(out / 'manifest.json', people=True)}
    (person,) = samples[key].people
    assert person.box == [1, 2, 11, 22]
    assert person.keypoints.tolist() == [[3, 4, 1], [0, 0, 0]]
    others = final_files(out)
    del others['corrections.json']
    assert others == before
    content['images'][0]['file_name'] = 'nobody.png'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="'nobody' is not an image of"):
        merge(out / 'manifest.json', path)
    content['categories'][0]['keypoints'] = ['right', 'left']
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='its keypoints are not the 2 of the run, in order'):
        merge(out / 'manifest.json', path)


def test_progress_lines(photos, tmp_path):
    annotate(photos, tmp_path / 'out')
    lines = [json.loads(x) for x in (tmp_path / 'out/log/progress.jsonl').read_text().splitlines()]
    assert [line['event'] for line in lines] == ['start', 'shard', 'shard', 'shard', 'end']
    assert [line['done'] for line in lines] == [0, 8, 16, 20, 20]
    assert lines[1]['seconds_left'] > 0 == lines[-1]['seconds_left']
