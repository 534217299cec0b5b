# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The command, in this process with very small models, and once as users start it."""

import json
import signal
import subprocess
import sys

import av
import cv2
import demo
import numpy as np
import pytest
import trimesh

from sapiens_inference.loading import options_by_task

TASKS = ('pose', 'seg', 'depth', 'normal')


@pytest.fixture
def models(small_config, small_checkpoint, tmp_path):
    """Arguments that name the very small models of all tasks."""
    arguments = ['--weights', *(f'{task}={small_checkpoint(task)}' for task in TASKS), '--model']
    for task in TASKS:
        path = tmp_path / f'{task}_config.py'
        small_config(task).dump(path)
        arguments.append(f'{task}={path}')
    return [*arguments, '--device', 'cpu', '--quiet']


def test_all_tasks_on_a_folder_of_odd_files(models, odd_folder, tmp_path, capsys):
    out = tmp_path / 'out'
    code = demo.main(['all', str(odd_folder), '--out', str(out), '--boxes', 'image', *models])
    assert code == 1  # four inputs failed, the others are done
    summary = json.loads((out / 'summary.json').read_text())
    assert summary['inputs'] == 12 and summary['done'] == 8 and len(summary['failed']) == 4
    assert set(summary['models']) == set(TASKS)
    assert all(len(model['sha256']) == 64 for model in summary['models'].values())
    printed = capsys.readouterr().out
    assert '8 of 12 done' in printed and 'torn.jpg' in printed
    stems = ('good', 'good_png', 'sub/good', 'UPPER', 'grey', 'deep', 'alpha', 'rotated')
    for stem in stems:
        for name in ('pose/{}.json', 'pose/{}.jpg', 'seg/{}.png', 'depth/{}.npy', 'depth/{}.png'):
            assert (out / name.format(stem)).is_file()
        assert (out / f'normal/{stem}.npy').is_file() and (out / f'sheet/{stem}.jpg').is_file()
    assert np.load(out / 'depth/rotated.npy').shape == (64, 48)


def test_without_weights_the_bundled_model_runs(photo, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), photo(0))
    out = tmp_path / 'out'
    options = ['--out', str(out), '--device', 'cpu', '--quiet']
    assert demo.main(['all', str(tmp_path / 'a.png'), *options]) == 0
    for file in ('pose/a.json', 'seg/a.png', 'depth/a.npy', 'normal/a.npy', 'matting/a.png'):
        assert (out / file).is_file()
    summary = json.loads((out / 'summary.json').read_text())
    assert summary['models']['multitask']['model'] == 'sapiens_tiny/multitask_synthetic'


def test_one_task_of_the_bundled_model(photo, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), photo(0))
    out = tmp_path / 'out'
    options = ['--out', str(out), '--device', 'cpu', '--quiet', '--boxes', 'image']
    assert demo.main(['matting', str(tmp_path / 'a.png'), *options]) == 0
    assert cv2.imread(str(out / 'matting/a.png'), cv2.IMREAD_UNCHANGED).shape[2] == 4
    assert not (out / 'pose').exists()


def test_the_bundled_model_has_no_albedo(tmp_path, capsys):
    assert demo.main(['albedo', 'a.png', '--out', str(tmp_path), '--device', 'cpu']) == 2
    assert 'it has no albedo' in capsys.readouterr().err


def test_exports_of_the_command(models, tmp_path, photo):
    cv2.imwrite(str(tmp_path / 'a.png'), photo(0))
    out = tmp_path / 'out'
    arguments = ['all', str(tmp_path / 'a.png'), '--out', str(out), '--boxes', 'image', *models]
    assert demo.main([*arguments, '--export', 'parts', 'glb', 'csv']) == 0
    found = {path.relative_to(out / 'exports').parts[0] for path in out.glob('exports/*/*')}
    assert found == {'parts', 'glb', 'csv'}
    # The classes' names come from the summary.
    names = json.loads((out / 'seg/summary.json').read_text())['models']['seg']['classes']
    ids = {int(path.stem.split('_')[1]): path.stem for path in out.glob('exports/parts/*.png')}
    assert ids and all(stem.endswith(names[number]) for number, stem in ids.items())


def test_an_unknown_export_costs_no_work(models, tmp_path, photo, capsys):
    cv2.imwrite(str(tmp_path / 'a.png'), photo(0))
    arguments = ['pose', str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out'), *models]
    assert demo.main([*arguments, '--boxes', 'image', '--export', 'docx']) == 2
    assert "unknown export formats ['docx']" in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_video_with_people_smoothed_and_numbered(models, tmp_path, photo):
    path = tmp_path / 'film.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=12)
        stream.height, stream.width, stream.pix_fmt = 48, 64, 'yuv420p'
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(photo(number), format='bgr24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(json.dumps({'film': [[2, 2, 30, 46], [33, 2, 62, 46, 0.7]]}))
    arguments = ['pose', str(path), '--out', str(tmp_path / 'out'), '--boxes', str(boxes)]
    assert demo.main([*arguments, '--smooth', '--keypoints', '17', *models]) == 0
    content = json.loads((tmp_path / 'out/pose/film.json').read_text())
    assert len(content['names']) == 17 and content['video']['rate'] == 12
    assert [frame['frame'] for frame in content['frames']] == [0, 1, 2, 3]
    assert [p['track_id'] for p in content['frames'][3]['people']] == [1, 2]
    with av.open(str(tmp_path / 'out/pose/film.mp4')) as container:
        assert container.streams.video[0].average_rate == 12
        assert sum(1 for _ in container.decode(video=0)) == 4


def test_masks_of_depth_from_the_segmentation_weights(models, photo, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), photo())
    arguments = ['depth', str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out'), '--mask', 'seg']
    assert demo.main([*arguments, *models]) == 0
    assert (tmp_path / 'out/depth/a.npy').is_file() and not (tmp_path / 'out/seg').exists()


def test_boxes_of_other_photos_end_with_1_and_existing_results_are_kept(
    models, photo, tmp_path, capsys
):
    cv2.imwrite(str(tmp_path / 'a.png'), photo())
    cv2.imwrite(str(tmp_path / 'b.png'), photo(1))
    (tmp_path / 'boxes.json').write_text('{"other": [[0, 0, 9, 9]]}')
    out = ['--out', str(tmp_path / 'out'), '--boxes', str(tmp_path / 'boxes.json')]
    arguments = ['pose', str(tmp_path), *out, *models]
    assert demo.main(arguments) == 1
    printed = capsys.readouterr()
    assert 'boxes were given for 0 of 2, the first without' in printed.out
    assert 'boxes.json names none of the inputs' in printed.err
    (tmp_path / 'boxes.json').write_text('{"a": [[0, 0, 9, 9]]}')
    assert demo.main([*arguments, '--boxes-missing', 'whole']) == 0
    assert json.loads((tmp_path / 'out/pose/b.json').read_text())['people'][0]['box'][2] == 64
    (tmp_path / 'out/pose/a.json').unlink()
    assert demo.main([*arguments, '--skip-existing']) == 0
    assert '1 of 1 done' in (text := capsys.readouterr().out) and 'results of 1 were there' in text


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (
            ['pose', 'none.jpg', '--weights', 'none.pth'],
            'weights none.pth: the file does not exist',
        ),
        (['seg', 'none.jpg', '--weights', 'depth=x'], '--weights names no checkpoint for seg'),
        (['seg', 'none.jpg', '--weights', 'pixel=x'], "'pixel' is not one of"),
        (['seg', 'none.jpg', '--weights', 'lr=0.1/no.pth'], "'lr' is not one of"),
    ],
)
def test_what_cannot_start_is_said_in_one_line(arguments, message, tmp_path, capsys):
    assert demo.main([*arguments, '--out', str(tmp_path / 'out'), '--quiet']) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and message in error


def test_an_output_folder_that_cannot_be_made(models, photo, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / 'a.png'), photo())
    (tmp_path / 'out').write_text('a file is in the way')
    arguments = ['seg', str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out'), *models]
    assert demo.main(arguments) == 2
    assert 'out/seg cannot be written' in capsys.readouterr().err


@pytest.mark.usefixtures('interruptible')
def test_ctrl_c_keeps_what_is_done_and_tells_the_shell(
    models, photo, tmp_path, monkeypatch, capsys
):
    from sapiens_depth_normal.apis import DepthInferencer

    for seed in range(40):
        cv2.imwrite(str(tmp_path / f'{seed:02d}.png'), photo(seed))
    forward, batches = DepthInferencer.forward, []

    def interrupted(self, samples):
        batches.append(len(samples))
        if len(batches) == 4:
            signal.raise_signal(signal.SIGINT)
        return forward(self, samples)

    monkeypatch.setattr(DepthInferencer, 'forward', interrupted)
    arguments = ['depth', str(tmp_path), '--out', str(tmp_path / 'out'), '--batch-size', '2']
    assert demo.main([*arguments, *models]) == 130
    assert 'stopped: by the user' in capsys.readouterr().out
    summary = json.loads((tmp_path / 'out/summary.json').read_text())
    assert summary['stopped'] == 'by the user' and not summary['failed']
    files = [p for p in (tmp_path / 'out/depth').iterdir() if p.suffix == '.npy']
    assert all(np.load(path).shape == (48, 64) for path in files)
    assert not list((tmp_path / 'out').rglob('.unfinished_*'))


def test_a_folder_whose_name_is_a_number_is_no_webcam(models, photo, tmp_path, monkeypatch):
    (tmp_path / '2026').mkdir()
    cv2.imwrite(str(tmp_path / '2026/a.png'), photo())
    monkeypatch.chdir(tmp_path)
    assert demo.main(['seg', '2026', '--out', 'out', *models]) == 0
    assert (tmp_path / 'out/seg/a.png').is_file()


def test_weights_with_an_equals_sign_and_flags(tmp_path):
    (tmp_path / 'lr=0.1.pth').touch()
    entry = str(tmp_path / 'lr=0.1.pth')
    assert demo.split_by_task([f'pose={entry}', entry], ['pose', 'seg']) == {
        'pose': entry,
        'seg': entry,
    }
    arguments = ['pose', 'x', '--out', 'o', '--weights', 'w']
    # The reference's flag is true for any text, and goes nowhere (9.1, row 11).
    for flag, expected in (([], None), (['--flip-test'], True), (['--no-flip-test'], False)):
        assert demo.parse_args([*arguments, *flag]).flip_test is expected


def test_the_config_is_told_from_the_checkpoint(models, small_checkpoint, tmp_path, capsys):
    weights = str(small_checkpoint('pose'))
    arguments = ['pose', 'none.jpg', '--out', str(tmp_path / 'out'), '--weights', weights]
    assert demo.main([*arguments, '--quiet']) == 2
    assert 'no encoder of a shipped size' in capsys.readouterr().err  # 32 channels are not


def test_options_of_other_tasks_are_named(tmp_path, capsys):
    arguments = ['seg', 'none.jpg', '--out', str(tmp_path), '--weights', 'none.pth']
    # Values that are the defaults too: they were given all the same.
    assert demo.main([*arguments, '--kpt-thr', '0.3', '--convention', 'opengl']) == 2
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith('note')]
    assert notes == [f'note: --{name} does nothing for seg' for name in ('kpt-thr', 'convention')]


def test_each_task_is_handed_its_own_options(capsys):
    given = {'keypoints': ['17'], 'convention': 'opencv', 'background': 'white', 'kpt_thr': None}
    assert options_by_task(given, ['pose', 'normal', 'depth']) == {
        'pose': {'keypoints': ['17']},
        'normal': {'convention': 'opencv'},
        'depth': {},
    }
    notes = capsys.readouterr().err
    assert notes == 'note: --background does nothing for pose, normal, depth\n'


def test_help_is_fast(root):
    """No library is imported before the arguments are known."""
    code = (
        'import sys; sys.argv = ["demo.py", "--help"]\n'
        'import demo\n'
        'try: demo.main()\n'
        'except SystemExit: pass\n'
        'print([m for m in ("torch", "mmengine", "cv2", "numpy") if m in sys.modules])'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=root / 'tools', capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == '[]', done.stderr


@pytest.mark.slow
def test_the_command_on_the_sample_photos(samples, small_config, small_checkpoint, tmp_path, root):
    small_config('pose').dump(tmp_path / 'pose.py')
    done = subprocess.run(
        [
            *(sys.executable, str(root / 'tools/demo.py'), 'pose', str(samples / 'coco')),
            *('--model', str(tmp_path / 'pose.py'), '--weights', str(small_checkpoint('pose'))),
            *('--boxes', str(samples / 'coco/test_coco.json'), '--out', str(tmp_path / 'out')),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert '4 of 4 done' in done.stdout
    summary = json.loads((tmp_path / 'out/summary.json').read_text())
    assert summary['people'] == 14


@pytest.mark.slow
def test_the_chain_on_the_sample_video(samples, tmp_path):
    """Video, tracks, and files for the next tools in one command, with the bundled model."""
    out = tmp_path / 'out'
    done = demo.main(
        [
            *('multitask', str(samples / 'people.mp4'), '--out', str(out), '--boxes', 'image'),
            *('--weights', 'sapiens_tiny/multitask_synthetic', '--device', 'cpu', '--quiet'),
            *('--export', 'npz', 'glb', 'rrd'),
        ]
    )
    assert done == 0
    frames = json.loads((out / 'pose/people.json').read_text())['frames']
    with np.load(out / 'exports/npz/people.npz') as table:
        assert table['frame_ids'].tolist() == [frame['frame'] for frame in frames]
        assert table['track_ids'].tolist() == [1] * len(frames)
        first = np.array(frames[0]['people'][0]['keypoints'])
        np.testing.assert_allclose(table['keypoints'][0], first)
    clouds = sorted((out / 'exports/glb/people').glob('*.glb'))
    assert len(clouds) == len(frames)
    assert len(trimesh.load(clouds[0]).geometry) == 1
    assert (out / 'exports/rrd/run.rrd').stat().st_size > 10_000
