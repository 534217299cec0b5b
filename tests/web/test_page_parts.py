# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the page is made of, without a browser; and its interface for programs."""

import json
import re
import shlex
import shutil

import cv2
import demo
import numpy as np
import pytest

from sapiens_inference.loading import load_task
from sapiens_inference.outputs.exports.run_folder import RunFolder
from sapiens_inference.web.jobs import (
    Limits,
    Workplace,
    check_choice,
    check_uploads,
    keep_uploads,
    run_job,
)
from sapiens_inference.web.recipe import command_of, python_of
from sapiens_inference.web.shelf import ModelShelf, _tasks_of
from sapiens_inference.web.viewer import video_page

gradio = pytest.importorskip('gradio', reason='Gradio is an extra')


def test_uploads_are_checked_by_name(tmp_path):
    good, text = tmp_path / 'good.png', tmp_path / 'a.jpg'
    cv2.imwrite(str(good), np.zeros((10, 20, 3), np.uint8))
    text.write_text('no photo')
    check_uploads([good], Limits())
    with pytest.raises(ValueError, match='add a photo or a video first'):
        check_uploads([], Limits())
    with pytest.raises(ValueError, match='2 files; this page takes 1 at a time'):
        check_uploads([good, good], Limits(files=1))
    with pytest.raises(
        ValueError, match=r'good.png: 20 x 10 pixels; this page takes photos up to 0'
    ):
        check_uploads([good], Limits(megapixels=0))
    with pytest.raises(ValueError, match=r'a\.jpg'):
        check_uploads([text], Limits())
    names = tmp_path / 'names.txt'  # a picture of PPM, and a list of files
    names.write_text(f'P3\n64 64\n255\n{good}\n')
    with pytest.raises(ValueError, match=r'^names\.txt: this page takes photos and videos$'):
        check_uploads([names], Limits())


def test_every_upload_is_shown_with_its_own_results(random_weights, tmp_path):
    weights, config = random_weights
    shelf = ModelShelf([f'multitask={weights}'], [f'multitask={config}'], 'cpu', 'float32')
    sizes = {'a.png': (20, 30), 'A.jpg': (40, 50), 'b.bmp': (60, 70)}
    for name, size in sizes.items():
        cv2.imwrite(str(tmp_path / name), np.zeros((*size, 3), np.uint8))
    inputs = keep_uploads([str(tmp_path / name) for name in sizes], tmp_path)
    assert [path.name for path in inputs] == ['a.png', 'A_1.jpg', 'b.bmp']
    models, out = shelf.choose(['seg']), tmp_path / 'results'
    list(run_job(models, inputs, out, ['seg'], Limits(), 'image'))
    records = RunFolder(out, tmp_path / 'inputs').records()
    found = {r.name: (r.pixels().shape[:2], r.array('seg').shape) for r in records}
    assert found == {path.stem: (s, s) for path, s in zip(inputs, sizes.values(), strict=True)}


def test_an_upload_that_gradio_has_removed(tmp_path):
    with pytest.raises(ValueError, match=r'^old\.jpg: uploads are kept for an hour; add it again$'):
        keep_uploads(['old.jpg'], tmp_path)


def test_a_workplace_removes_its_jobs_and_nothing_else(tmp_path):
    place = Workplace()
    one, two = place.new_job(), place.new_job()
    assert one.name != two.name and len(one.name) >= 24
    place.remove(one)
    place.remove(tmp_path)
    assert not one.exists() and two.exists() and tmp_path.exists()
    place.close()
    assert not place.root.exists()


def test_weights_of_a_command_line():
    assert _tasks_of('pose=mine.pth') == {'pose': 'mine.pth'}
    assert _tasks_of('sapiens_1b')['seg'] == 'sapiens_1b'
    assert _tasks_of('sapiens_tiny/multitask_synthetic') == {
        'multitask': 'sapiens_tiny/multitask_synthetic'
    }
    with pytest.raises(ValueError, match='write TASK=FILE for a file'):
        _tasks_of('mine.pth')


def test_what_does_not_fit_leaves(random_weights):
    weights, config = random_weights
    entry = f'multitask={weights}'
    shelf = ModelShelf([entry], [f'multitask={config}'], 'cpu', 'float32', budget=1)
    model = shelf.get('multitask')
    assert shelf.get('multitask') is model  # one always fits
    shelf.sources['pose'], shelf.models['pose'] = str(weights), str(config)
    pose = shelf.get('pose')
    assert list(shelf._loaded) == ['pose'] and shelf.get('multitask') is not model
    assert pose.task == 'pose'
    with pytest.raises(ValueError, match='no weights for albedo'):
        shelf.get('albedo')


def test_one_task_of_a_shared_model_runs_alone(random_weights):
    weights, config = random_weights
    shelf = ModelShelf([f'multitask={weights}'], [f'multitask={config}'], 'cpu', 'float32')
    assert [model.task for model in shelf.choose(['depth', 'seg'])] == ['multitask']
    assert shelf.tasks[:2] == ['seg', 'pose']
    photo = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    for task in shelf.tasks:
        [model] = shelf.choose([task])
        expected = load_task(task, str(weights), str(config), device='cpu', dtype='float32')
        assert model.task == task
        found, known = (one.infer(photo, 'image')[0].to_dict() for one in (model, expected))
        assert found == known


def test_the_lines_that_do_the_same():
    shelf = ModelShelf(['pose=p.pth', 'sapiens_tiny/multitask_synthetic'])
    line = command_of(shelf, ['seg', 'depth'], ["it's.jpg"], 'image')
    assert line.startswith('python tools/demo.py multitask ') and '--boxes image' in line
    assert "'it'\"'\"'s.jpg'" in line
    line = command_of(shelf, ['pose', 'depth'], ['a.jpg'], 'image', ['csv'])
    assert line.startswith(
        'python tools/demo.py all a.jpg --weights pose=p.pth depth=sapiens_tiny/'
    )
    assert '--crops --export csv' in line
    script = python_of(shelf, ['depth'], ['a.jpg'], 'image', ['ply'])  # which shows the photo
    assert "export_run('out', ['ply'], images=['a.jpg'])" in script
    text = command_of(shelf, ['pose'], ['a.jpg'], [[1.0, 2.0, 3.0, 4.0]])
    assert json.loads(re.search(r"echo '(.*)' > boxes.json", text)[1]) == {'a.jpg': [[1, 2, 3, 4]]}


@pytest.mark.slow
@pytest.mark.parametrize('tasks', [['depth'], ['pose', 'depth']])
def test_command_and_script_give_the_results_of_the_page(
    tasks, random_weights, tmp_path, monkeypatch
):
    weights, config = random_weights
    shelf = ModelShelf([f'multitask={weights}'], [f'multitask={config}'], 'cpu', 'float32')
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(2).integers(0, 255, (6, 5, 3), dtype=np.uint8)
    cv2.imwrite('a.png', cv2.resize(pixels, (72, 96)))
    boxes = [[10.0, 5.0, 60.0, 90.0]]
    given = np.array(boxes, np.float32)
    formats = ['csv'] if 'pose' in tasks else ['exr']
    path = tmp_path / 'a.png'
    for _ in run_job(
        shelf.choose(tasks), [path], tmp_path / 'page', tasks, Limits(), given, formats
    ):
        pass
    expected = np.load('page/depth/a.npy')
    boxes_line, line = command_of(shelf, tasks, ['a.png'], boxes, formats).split('\n')
    (tmp_path / 'boxes.json').write_text(shlex.split(boxes_line)[1])
    assert demo.main([*shlex.split(line)[2:], '--quiet']) == 0
    assert np.array_equal(np.load('out/depth/a.npy'), expected)
    shutil.move('out', 'command')
    exec(compile(python_of(shelf, tasks, ['a.png'], boxes, formats), 'script', 'exec'), {})
    assert np.array_equal(np.load('out/depth/a.npy'), expected)
    for folder in ('page', 'command', 'out'):
        assert len(list((tmp_path / folder / 'exports' / formats[0]).iterdir())) == 1


def test_a_format_needs_its_task():
    check_choice(['pose'], ['coco', 'csv'])
    with pytest.raises(ValueError, match='choose at least one task'):
        check_choice([], [])
    with pytest.raises(ValueError, match='glb is made of pointmap or depth: choose that task too'):
        check_choice(['pose'], ['glb'])


def test_tasks_are_known_before_the_model_is_loaded(random_weights):
    weights, config = random_weights
    shelf = ModelShelf([f'multitask={weights}'], [f'multitask={config}'], 'cpu', 'float32')
    assert shelf.tasks == ['seg', 'pose', 'depth', 'normal', 'matting'] and not shelf.nbytes
    shelf.warm_up()
    assert shelf.nbytes


def test_messages_name_files_and_no_folders():
    from sapiens_inference.web.page import _plain

    assert _plain(ValueError('/tmp/x/y.jpg: no photo')) == 'y.jpg: no photo'
    assert _plain(ValueError("cannot read '/tmp/a b/c.jpg'")) == "cannot read 'a b/c.jpg'"
    assert _plain(ValueError('see https://a.org/b/c')) == 'see https://a.org/b/c'


def test_names_cannot_end_the_script_that_holds_them():
    page = video_page({'</script><b>': 'film.mp4'}, [])
    assert '<b>' not in page and '\\u003c/script>' in page


def test_boxes_are_drawn_on_the_photo():
    from sapiens_inference.web.page import draw_boxes

    photo = np.zeros((60, 80, 3), np.uint8)
    drawn = draw_boxes(photo, '10, 20, 40, 50', (70, 5))
    assert drawn[20, 25].any() and drawn[35, 10].any() and drawn[5, 70].any()
    assert not drawn[35, 25].any() and not photo.any()
    # A visitor writes one character after the other.
    for half in ('10, 20, 40, 50\n1', '10, 20, 40, 50\n1, 2, 3, nan', '10, 20, 40, 50\n'):
        assert np.array_equal(draw_boxes(photo, half, (70, 5)), drawn)


def test_boxes_of_a_text_field():
    from sapiens_inference.web.page import read_boxes

    assert read_boxes('1, 2, 3, 4\n\n5;6;7;8.5') == [[1, 2, 3, 4], [5, 6, 7, 8.5]]
    with pytest.raises(ValueError, match="box '1, 2': expected four numbers"):
        read_boxes('1, 2')
    with pytest.raises(ValueError, match="box '1, 2, 3, inf': expected four numbers"):
        read_boxes('1, 2, 3, inf')
    with pytest.raises(ValueError, match='draw a box first'):
        read_boxes(' ')


def test_a_program_sends_one_photo_and_waits_for_the_page(random_weights):
    from sapiens_inference.web.page import build_page

    weights, config = random_weights
    shelf = ModelShelf([f'multitask={weights}'], [f'multitask={config}'], 'cpu', 'float32')
    place = Workplace()
    page = build_page(shelf, place, Limits())
    run, infer = (
        next(event for event in page.fns.values() if event.name == name) for name in ('go', 'infer')
    )
    assert run.concurrency_limit == infer.concurrency_limit == 1
    assert run.concurrency_id == infer.concurrency_id == 'model'
    film = place.new_job() / 'film.mkv'
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*'MJPG'), 10, (32, 32))
    writer.write(np.zeros((32, 32, 3), np.uint8))
    writer.release()
    with pytest.raises(gradio.Error, match=r'film\.mkv: /infer takes one photo'):
        infer.fn({'path': str(film)}, ['seg'], None)
    assert shelf.nbytes == 0  # refused before a model was loaded
    place.close()


@pytest.mark.slow
def test_a_program_gets_the_numbers_of_the_python_api(page_address, random_weights, tmp_path):
    from gradio_client import Client, handle_file

    from sapiens_multitask.apis import MultitaskInferencer

    rng = np.random.default_rng(3)
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), cv2.resize(rng.integers(0, 255, (6, 5, 3), dtype=np.uint8), (72, 96)))
    weights, config = random_weights
    own = MultitaskInferencer(str(config), weights, device='cpu', dtype='float32')
    expected = own.infer(str(path), 'image')[0]
    client = Client(page_address, verbose=False)
    found = client.predict(handle_file(str(path)), ['pose', 'depth'], None, api_name='/infer')
    assert set(found) == {'pose', 'depth'}
    points = found['pose']['people'][0]['keypoints']
    # Some heatmaps of random weights are so flat that rounding decides on the sub-pixel step.
    apart = np.abs(points - expected['pose'].keypoints[0]).max(axis=1)
    assert np.mean(apart < 1e-3) > 0.9
    depth = type(expected['depth']).from_dict(found['depth']).depth
    np.testing.assert_allclose(depth, expected['depth'].depth, atol=1e-5)
    with pytest.raises(Exception, match='was not uploaded to this page'):
        client.predict({'path': '/etc/hostname'}, ['pose'], None, api_name='/infer')
