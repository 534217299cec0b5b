# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import json
import weakref
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from sapiens_inference.inputs.sources import open_inputs
from sapiens_inference.inputs.video import import_av


@pytest.fixture
def film(tmp_path):
    """A small video whose frames brighten; with `sound`, the name of a codec, a tone of 0.5 s.

    `start` is the time of the first frame in seconds.
    """

    def make(
        name='film.mp4', rate=Fraction(30000, 1001), frames=10, sound='', size=(48, 64), start=0
    ):
        path = tmp_path / name
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('mpeg4', rate=rate)
            stream.height, stream.width, stream.pix_fmt = *size, 'yuv420p'
            stream.bit_rate = 2_000_000
            tone = container.add_stream(sound, rate=16000, layout='mono') if sound else None
            for number in range(frames):
                image = np.full((*size, 3), min(40 + 15 * number, 255), np.uint8)
                image[: size[0] // 3, : size[1] // 2] //= 2  # tells where up is
                frame = av.VideoFrame.from_ndarray(image, format='bgr24')
                frame.time_base, frame.pts = 1 / rate, number + round(start * rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
            if tone is not None:
                for first in range(0, 8000, 1000):
                    wave = np.sin(np.arange(first, first + 1000) * 0.17).astype(np.float32)[None]
                    frame = av.AudioFrame.from_ndarray(wave, format='fltp', layout='mono')
                    frame.sample_rate, frame.pts = 16000, first + start * 16000
                    frame.time_base = Fraction(1, 16000)
                    container.mux(tone.encode(frame))
                container.mux(tone.encode())
        return path

    return make


def test_frames_come_in_order_with_their_times(film):
    source = open_inputs(film())
    items = list(source.items)
    assert source.total == len(items) == 10
    levels = [int(item.image.mean()) for item in items]
    assert levels == sorted(levels) and levels[-1] - levels[0] > 100
    times = [item.frame.time for item in items]
    np.testing.assert_allclose(times, np.arange(10) * 1001 / 30000, atol=1e-3)


def test_a_list_of_boxes_has_a_place_for_each_frame(film, mean_task, photo, tmp_path):
    boxes = [[[left, 2, left + 20, 40]] for left in (2, 12, 22)]
    found = mean_task()(film(frames=3), boxes=boxes)
    assert [result.boxes.tolist() for result in found] == boxes
    cv2.imwrite(str(tmp_path / 'a.png'), photo())
    with pytest.raises(ValueError, match='boxes: a list of 2 for 4 images and frames'):
        mean_task()([film(frames=3), tmp_path / 'a.png'], boxes=boxes[:2])


@pytest.mark.parametrize('size', [(48, 64), (47, 63)])
def test_a_video_comes_out_at_its_rate_with_its_sound(film, mean_task, tmp_path, size):
    even = tuple(side + side % 2 for side in size)
    path = film(rate=Fraction(25), frames=12, sound='aac', size=even)
    task = mean_task(needs_boxes=False)
    if size != even:  # a picture may have odd sides even if the video has not
        task.visualize = lambda item: 255 - item.pixels[: size[0], : size[1]]
    results = task(path, out_dir=tmp_path / 'out', batch_size=5)
    assert len(results) == 12 and results[3].source.frame == 3
    with av.open(str(tmp_path / 'out/mean/film.mp4')) as container:
        video = container.streams.video[0]
        assert video.average_rate == 25 and (video.height, video.width) == even
        assert len(container.streams.audio) == 1
        levels = [frame.to_ndarray(format='bgr24').mean() for frame in container.decode(video)]
        assert len(levels) == 12 and levels == sorted(levels, reverse=True)  # inverted
    with av.open(str(tmp_path / 'out/mean/film.mp4')) as container, av.open(str(path)) as source:
        seconds = [
            sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))
            for file in (container, source)
        ]
        assert seconds[0] == pytest.approx(seconds[1]) and seconds[0] > 0.4
    records = json.loads((tmp_path / 'out/mean/film.json').read_text())
    assert records['video']['rate'] == 25
    assert [entry['frame'] for entry in records['frames']] == list(range(12))
    assert not (tmp_path / 'out/mean/film').exists()  # frames get files only on request


@pytest.mark.parametrize(
    ('name', 'codec', 'start'),
    [('a.avi', 'mp3', 0), ('a.mkv', 'pcm_s16le', 0), ('a.mkv', 'aac', 2), ('a.mkv', 'flac', 2)],
)
def test_sound_of_any_codec_is_kept_beside_its_pictures(
    film, mean_task, tmp_path, name, codec, start
):
    """MP4 files cannot hold every codec, and some sources do not begin at time zero."""
    path = film(name, Fraction(25), frames=12, sound=codec, start=start)
    assert len(mean_task(needs_boxes=False)(path, out_dir=tmp_path / 'out')) == 12
    with av.open(str(tmp_path / 'out/mean/a.mp4')) as container:
        frames = list(container.decode(video=0))
    with av.open(str(tmp_path / 'out/mean/a.mp4')) as container:
        assert container.streams.audio[0].codec_context.name == 'aac'
        sounds = list(container.decode(audio=0))
    assert frames[0].time == 0 and abs(sounds[0].time) < 0.1
    assert sum(s.samples / s.sample_rate for s in sounds) == pytest.approx(0.5, abs=0.15)
    assert max(np.abs(sound.to_ndarray()).max() for sound in sounds) > 0.5


@pytest.mark.parametrize(
    ('frames', 'number'), [(10, 1), (3, -1)], ids=['beside the pictures', 'behind the last']
)
def test_damaged_sound_costs_neither_pictures_nor_records(
    film, mean_task, tmp_path, warned, frames, number
):
    path = film('a.mkv', Fraction(25), frames=frames, sound='flac')
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    damaged = path.read_bytes().replace(packets[number], bytes(len(packets[number])))
    path.write_bytes(damaged)
    task = mean_task(needs_boxes=False)
    task(path, out_dir=tmp_path / 'out')
    assert task.summary.done == frames and not task.summary.failed
    assert len(warned) == 1
    assert warned[0].startswith(f'{path}: the rest of its sound is damaged and left out (Invalid')
    with av.open(str(tmp_path / 'out/mean/a.mp4')) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames
    assert len(json.loads((tmp_path / 'out/mean/a.json').read_text())['frames']) == frames


def test_sound_of_an_unknown_codec_is_left_out(film, mean_task, tmp_path, warned):
    path = film('a.mkv', Fraction(25), sound='flac')
    path.write_bytes(path.read_bytes().replace(b'A_FLAC', b'A_XXXX'))
    task = mean_task(needs_boxes=False)
    task(path, out_dir=tmp_path / 'out')
    assert task.summary.done == 10
    assert warned == [f'{path}: the sound is left out, its codec is unknown']


def test_records_of_a_video_that_cannot_be_finished_are_kept(
    film, mean_task, tmp_path, monkeypatch, warned
):
    def close(writer):
        raise av.error.InvalidDataError(1, 'no more')

    monkeypatch.setattr('sapiens_inference.outputs.video.VideoWriter.close', close)
    mean_task(needs_boxes=False)(film(), out_dir=tmp_path / 'out')
    assert len(json.loads((tmp_path / 'out/mean/film.json').read_text())['frames']) == 10
    assert len(warned) == 1 and 'film.mp4 cannot be written: ' in warned[0]
    assert (tmp_path / 'out/mean/summary.json').is_file()


def test_sound_ends_with_the_pictures_of_a_stopped_run(film, mean_task, tmp_path):
    path = film(rate=Fraction(2), frames=10, sound='aac')  # five seconds of pictures, half of sound
    run = iter_with_files(mean_task(needs_boxes=False), path, tmp_path / 'out')
    next(run)
    run.close()
    with av.open(str(tmp_path / 'out/mean/film.partial.mp4')) as container:
        assert container.streams.audio and next(container.decode(video=0)) is not None


def test_a_phones_rotated_video_is_upright(film):
    path = film(frames=3)
    with av.open(str(path)) as container:
        lying = next(container.decode(video=0)).to_ndarray(format='bgr24')
    data = bytearray(path.read_bytes())
    place = data.index(b'tkhd') + 4 + 40  # version 0: the matrix follows 40 bytes of other fields
    quarter = [0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30]
    data[place : place + 36] = np.array(quarter, '>i4').tobytes()
    path.write_bytes(data)
    frames = [item.image for item in open_inputs(path).items]
    expected = np.rot90(lying, -1)  # the matrix says: a quarter turn clockwise
    assert len(frames) == 3 and frames[0].shape == expected.shape == (64, 48, 3)
    assert np.abs(frames[0].astype(int) - expected).max() < 12


def test_frames_get_files_on_request_and_people_get_numbers(film, mean_task, tmp_path):
    boxes = [[4, 4, 30, 40], [35, 4, 60, 40]]
    task = mean_task()
    results = list(
        task(film(frames=3), np.array(boxes, float), out_dir=tmp_path / 'out', save_frames=True)
    )
    assert [result.track_ids.tolist() for result in results] == [[1, 2]] * 3
    files = sorted(path.name for path in (tmp_path / 'out/mean/film').iterdir())
    assert files == ['000000.json', '000001.json', '000002.json']


def test_the_detector_is_asked_for_every_frame_and_its_boxes_are_used(film, mean_task):
    """The reference's video demo ignores its detector (9.1, row 15)."""
    from sapiens_inference import Boxes

    def detector(items):
        for item in items:
            left = 5.0 * item.frame.number
            xyxy = np.array([[left, 0, left + 20, 40]], np.float32)
            item.boxes = Boxes(xyxy, np.ones(1, np.float32), 'detector')

    results = list(mean_task()(film(frames=4), detector))
    assert [result.boxes[0, 0] for result in results] == [0, 5, 10, 15]
    assert [result.track_ids.tolist() for result in results] == [[1]] * 4


def test_several_videos_and_images_in_one_folder(film, mean_task, tmp_path, photo):
    import cv2

    film('b.mp4', frames=3)
    film('c.MP4', frames=2)
    cv2.imwrite(str(tmp_path / 'a.png'), photo())
    (tmp_path / 'd.mp4').write_bytes(b'no video')
    task = mean_task(needs_boxes=False)
    task(tmp_path, out_dir=tmp_path / 'out')
    assert task.summary.done == 6 and len(task.summary.failed) == 1
    assert 'd.mp4: cannot be opened as a video' in task.summary.failed[0]['error']
    assert 'Errno' not in task.summary.failed[0]['error']
    folder = tmp_path / 'out/mean'
    for name, count in (('b.mp4', 3), ('c.mp4', 2)):
        with av.open(str(folder / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) == count
    assert (folder / 'a.jpg').is_file() and not (folder / 'd.mp4').exists()


def test_a_torn_video_keeps_what_was_read(film, mean_task, tmp_path):
    path = film('torn.avi', frames=60, size=(96, 128))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    results = list(mean_task(needs_boxes=False)(path))
    assert 10 < sum(result.ok for result in results) < 60


def test_a_video_without_a_frame_is_no_success(film, mean_task):
    path = film('torn.mkv')
    data = path.read_bytes()
    first_cluster = data.index(b'\x1f\x43\xb6\x75')  # Matroska may end anywhere without an error
    path.write_bytes(data[: first_cluster + 40])
    task = mean_task(needs_boxes=False)
    task(path)
    summary = task.summary
    assert [entry['error'] for entry in summary.failed] == [f'{path}: the video holds no frame']


def test_fewer_frames_than_announced_are_said(film, mean_task, warned):
    path = film('torn.avi', frames=60, size=(96, 128))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    count = len(list(mean_task(needs_boxes=False)(path)))
    assert f'{path}: {count} frames were read, its header claims 60' in warned[0]


def test_pictures_of_failed_frames_are_let_go(film, mean_task, tmp_path):
    from sapiens_inference.engine.run import run_tasks

    good, bad = mean_task(needs_boxes=False), mean_task(needs_boxes=False, name='bad')

    def draw(item):
        raise ValueError('no picture')

    bad.visualize = draw
    drawn, alive = [], []
    plain = good.visualize

    def remember(item):
        picture = plain(item)
        drawn.append(weakref.ref(picture))
        alive.append(sum(reference() is not None for reference in drawn))
        return picture

    good.visualize = remember
    summary = run_tasks([good, bad], film(frames=60), tmp_path / 'out')
    assert len(summary.failed) == len(drawn) == 60
    assert max(alive) < 20


def test_stopping_early_leaves_a_video_that_plays(film, mean_task, tmp_path):
    task = mean_task(needs_boxes=False)
    predictions = iter_with_files(task, film(frames=10), tmp_path / 'out')
    for _ in range(4):
        next(predictions)
    predictions.close()
    with av.open(str(tmp_path / 'out/mean/film.partial.mp4')) as container:
        assert 4 <= sum(1 for _ in container.decode(video=0)) <= 10


def iter_with_files(task, inputs, out_dir):
    from sapiens_inference.engine.run import open_run

    return open_run([task], inputs, out_dir).run()


def test_decoders_do_not_log_through_python():
    av.logging.set_level(av.logging.ERROR)  # as torchvision of torch 2.6 does when it is imported
    assert import_av().logging.get_level() is None
