# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The command line of tools/annotate.py becomes the settings that are written down."""

import annotate
import pytest


def settings(*options):
    args = annotate.parse_args(['in', 'out', '--device', 'cpu', '--dtype', 'float32', *options])
    return annotate.make_settings(args)


def test_a_size_is_the_published_model_of_each_task():
    made, workers = settings('--tasks', 'seg', 'pose', '--weights', 'sapiens_1b', '--cores', '2')
    assert made.weights == {'seg': 'sapiens_1b/seg_goliath', 'pose': 'sapiens_1b/pose_goliath'}
    assert (made.threads, workers, made.device) == (2, 1, 'cpu')


def test_bundled_weights_are_hashed():
    name = 'sapiens_tiny/multitask_synthetic'
    made, _ = settings('--boxes', 'image')  # and are the default
    described = made.described('/photos')
    assert len(described['sha256'][name]) == 64
    assert described['boxes'] == 'image'


def test_options_go_to_the_tasks_that_take_them(capsys):
    made, _ = settings('--keypoints', '17')  # the bundled model, one for all tasks
    assert made.options == {'multitask': {'keypoints': ['17']}}
    both = ['--tasks', 'seg', 'pose', '--weights', 'sapiens_1b', '--flip-test']
    assert settings(*both)[0].options == {'pose': {'flip_test': True}}
    assert not capsys.readouterr().err
    assert settings('--tasks', 'seg', '--weights', 'sapiens_1b', '--no-flip-test')[0].options == {}
    assert 'note: --flip-test does nothing for seg' in capsys.readouterr().err


def test_every_task_needs_weights(tmp_path):
    with pytest.raises(ValueError, match='names no checkpoint for pose; add pose=FILE'):
        settings('--tasks', 'seg', 'pose', '--weights', 'seg=a.pth')


def test_a_folder_of_other_settings_is_refused_without_the_advice_to_try_again(tmp_path, capsys):
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos/a.jpg').write_bytes(b'never read')
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/settings.json').write_text('{"per_shard": 1}')
    command = [str(tmp_path / 'photos'), str(tmp_path / 'out'), '--device', 'cpu']
    assert annotate.main(command) == 2
    said = capsys.readouterr().err
    assert 'was begun with other settings' in said and 'per_shard: 1 there, 256 here' in said
    assert 'same command' not in said
