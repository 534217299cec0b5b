# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The page, driven in a real browser as a visitor uses it."""

import json
import zipfile
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.slow
WAIT = 120_000  # milliseconds: the machine may be busy


@pytest.fixture
def photos(tmp_path):
    """Two photos and a file that only claims to be one."""
    rng = np.random.default_rng(0)
    paths = []
    for name, (height, width) in {'one.png': (96, 72), 'two.jpg': (60, 90)}.items():
        picture = cv2.resize(rng.integers(0, 255, (6, 5, 3), dtype=np.uint8), (width, height))
        cv2.imwrite(str(tmp_path / name), picture)
        paths.append(str(tmp_path / name))
    (tmp_path / 'bad.jpg').write_text('this is not a photo')
    return [*paths, str(tmp_path / 'bad.jpg')]


@pytest.fixture
def visit(browser, page_address):
    """Opens the page; fails the test when a script of it does."""
    opened = []

    def open_page(width=1300, height=950, address=page_address):
        context = browser.new_context(viewport={'width': width, 'height': height})
        page = context.new_page()
        page.set_default_timeout(WAIT)
        errors = []
        page.on('pageerror', lambda error: errors.append(str(error)))
        page.goto(address, wait_until='domcontentloaded')
        page.wait_for_selector('#run')
        opened.append((context, errors))
        return page

    yield open_page
    for context, errors in opened:
        context.close()
        assert not errors


def slow_line(page):
    """Lets every answer of the page come 300 ms late: what a visitor does must not depend on it."""
    line = {'latency': 300, 'downloadThroughput': -1, 'uploadThroughput': -1, 'offline': False}
    page.context.new_cdp_session(page).send('Network.emulateNetworkConditions', line)


def send(page, *paths):
    page.set_input_files('#files input[type=file]', list(paths))
    page.wait_for_function(
        "count => document.querySelectorAll('#files .file').length === count", arg=len(paths)
    )


def run(page, *paths):
    send(page, *paths)
    page.click('#run')
    return result_of(page)


def result_of(page):
    frame = page.frame_locator('#view iframe')
    frame.locator('html[data-ready=yes]').wait_for()
    return frame


def shown(frame):
    """Pixels of the layers' canvas."""
    script = "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    return np.array(frame.locator('canvas.over').evaluate(script))


def test_layers_classes_points_and_files(visit, photos, tmp_path):
    page = visit()
    frame = run(page, photos[0])
    before = shown(frame)
    assert before.any()
    page.locator('#cloud canvas').wait_for(state='attached')
    for box in frame.locator('#layers input[type=checkbox]').all():
        box.set_checked(False)
    assert not shown(frame).any()
    frame.locator('input[data-layer=depth]').set_checked(True)
    depth = shown(frame)
    assert depth[3::4].min() == 255  # the whole picture
    frame.locator('#split').fill('500')
    half = shown(frame).reshape(96, 72, 4)[..., 3]
    assert not half[:, :35].any() and (half[:, 37:] == 255).all()
    grip = frame.locator('#grip').bounding_box()
    page.mouse.move(grip['x'] + 16, grip['y'] + 16)
    page.mouse.down()
    page.mouse.move(grip['x'] - 500, grip['y'] + 16, steps=3)
    page.mouse.up()
    assert frame.locator('#split').input_value() == '0'
    frame.locator('canvas.over').hover(position={'x': 30, 'y': 30})
    assert 'depth' in frame.locator('#hint').inner_text()
    frame.locator('#query').fill('left_wrist')
    assert 'left_wrist of person 1: score' in frame.locator('#hint').inner_text()
    # One class at a click: fewer pixels than all of them.
    frame.locator('input[data-layer=depth]').set_checked(False)
    frame.locator('input[data-layer=parts]').set_checked(True)
    everything = (shown(frame)[3::4] > 0).sum()
    frame.locator('#classes button').first.click()
    one = (shown(frame)[3::4] > 0).sum()
    assert 0 < one < everything
    with page.expect_download() as download:
        page.locator('#archive a[download]').first.click()
    download.value.save_as(tmp_path / 'results.zip')
    with zipfile.ZipFile(tmp_path / 'results.zip') as archive:
        names = set(archive.namelist())
        people = json.loads(archive.read('pose/one.json'))['people']
    assert {'seg/one.png', 'depth/one.npy', 'normal/one.npy', 'summary.json'} <= names
    assert len(people[0]['keypoints']) == 308


def test_several_photos_a_bad_one_among_them(visit, photos):
    page = visit()
    run(page, photos[0], photos[1])
    assert '2 of 2 done' in page.locator('#status').inner_text()
    page.locator('#chosen input').click()
    page.get_by_role('option', name='two').click()
    page.frame_locator('#view iframe').locator('canvas.over[width="90"]').wait_for()


def test_a_bad_file_is_named_and_the_page_lives_on(visit, photos):
    page = visit()
    send(page, photos[2])
    page.click('#run')
    toast = page.locator('.toast-body').first
    toast.wait_for()
    assert 'bad.jpg' in toast.inner_text() and '/tmp' not in toast.inner_text()
    page.locator('#run:enabled').wait_for()
    assert page.locator('#status').inner_text() == toast.inner_text().split('\n')[-1]
    page.reload()
    page.wait_for_selector('#run')
    run(page, photos[0])


def test_too_large_is_refused(visit, tmp_path):
    path = tmp_path / 'large.png'
    cv2.imwrite(str(path), np.zeros((1200, 1000, 3), np.uint8))
    page = visit()
    send(page, str(path))
    page.click('#run')
    page.get_by_text('this page takes photos up to 1 megapixels').first.wait_for()


def film(path, frames):
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=Fraction(10))
        stream.height, stream.width, stream.pix_fmt = 96, 72, 'yuv420p'
        for number in range(frames):
            picture = np.full((96, 72, 3), number * 6, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='bgr24')))
        container.mux(stream.encode())
    return str(path)


def test_a_video_with_its_timeline(visit, tmp_path):
    page = visit(width=390, height=844)
    frame = run(page, film(tmp_path / 'film.mp4', 5))
    frame.locator('rect.track').first.wait_for()
    assert frame.locator('rect.track').first.bounding_box()['height'] > 12  # a finger hits it
    frame.locator('rect.track').first.focus()
    frame.locator('rect.track').first.press('Enter')
    assert 'person' in frame.locator('#hint').inner_text()
    names = frame.locator('#films button').all_inner_texts()
    assert names == ['all tasks', 'depth', 'matting', 'normals', 'keypoints', 'body parts']
    frame.locator('#films button', has_text='depth').click()
    assert frame.locator('video').evaluate('v => v.src').endswith('/depth/film.mp4')
    # The browser can play it.
    frame.locator('video').evaluate(
        'async v => { if (v.readyState < 2) await new Promise(r => v.onloadeddata = r) }'
    )


def test_a_video_without_people_to_follow(visit, tmp_path):
    page = visit()
    page.get_by_label('keypoints').uncheck()
    frame = run(page, film(tmp_path / 'film.mp4', 3))
    assert frame.locator('video').evaluate('v => v.src').endswith('/sheet/film.mp4')
    assert not frame.locator('rect.track').count() and not frame.locator('svg').is_visible()


def test_cancel_and_run_again(visit, photos, tmp_path):
    page = visit()
    slow_line(page)
    send(page, film(tmp_path / 'long.mp4', 40), photos[0])
    assert page.locator('#cancel').is_disabled()
    page.click('#run')
    page.locator('#status progress[max="41"]').wait_for()  # the frames and the photo
    page.click('#cancel')
    page.get_by_text('cancelled').wait_for()
    page.locator('#run:enabled').wait_for()
    page.wait_for_timeout(1500)  # the run's own end comes later
    assert page.locator('#status').inner_text() == 'cancelled'
    assert page.locator('#view iframe').count() == 0
    page.reload()
    page.wait_for_selector('#run')
    run(page, photos[0])


def test_results_that_are_gone_and_an_end_in_the_middle_of_a_run(
    visit, start_page, photos, tmp_path
):
    with start_page() as address:
        page = visit(address=address)
        run(page, *photos[:2])
        page.locator('#archive a[download]').first.wait_for()
        for results in tmp_path.glob('sapiens-web-*/*/results'):
            results.parent.rename(tmp_path / 'gone')  # at once: something may still be written
        page.locator('#chosen input').click()
        page.get_by_role('option', name='two').click()
        page.get_by_text('Results are kept for an hour').wait_for()
        page.reload()
        page.wait_for_selector('#run')
        send(page, film(tmp_path / 'long.mp4', 40))
        page.click('#run')
        page.locator('#status progress[value]').wait_for()


def test_boxes_by_hand_and_an_export(visit, photos, tmp_path):
    page = visit()
    slow_line(page)
    send(page, photos[0])
    page.get_by_label('drawn by hand').check()
    picture = page.locator('#sketch img')
    picture.wait_for()
    area = picture.bounding_box()
    for x, y in ((0.2, 0.2), (0.8, 0.9)):
        picture.click(position={'x': x * area['width'], 'y': y * area['height']})
    boxes = page.locator('#boxes textarea')
    page.wait_for_function("document.querySelector('#boxes textarea').value.includes(',')")
    found = [float(value) for value in boxes.input_value().split(',')]
    np.testing.assert_allclose(found, [0.2 * 72, 0.2 * 96, 0.8 * 72, 0.9 * 96], atol=2)
    boxes.press_sequentially('\n1')  # begun, and left
    page.wait_for_timeout(1500)
    assert page.locator('.toast-body').count() == 0
    boxes.press('Backspace')
    boxes.press('Backspace')
    page.locator('#exports input').click()
    page.get_by_role('option', name='csv:').click()
    page.click('#run')
    frame = result_of(page)
    assert frame.locator('html').evaluate('() => data.people.length') == 1
    with page.expect_download() as download:
        page.locator('#archive a[download]').first.click()
    download.value.save_as(tmp_path / 'results.zip')
    with zipfile.ZipFile(tmp_path / 'results.zip') as archive:
        assert 'exports/csv/keypoints.csv' in archive.namelist()


def test_two_visitors_get_their_own_results(visit, photos):
    first, second = visit(), visit()
    send(first, photos[0])
    send(second, photos[1])
    first.click('#run')
    second.click('#run')
    widths = [
        result_of(page).locator('canvas.over').get_attribute('width') for page in (first, second)
    ]
    assert widths == ['72', '90']


def test_an_example_in_a_phone_sized_window_and_the_keyboard(visit):
    page = visit(width=390, height=844)
    page.locator('#examples button').first.click()
    page.locator('#files .file').wait_for()
    page.click('#run')
    frame = result_of(page)
    page.wait_for_function('scrollY > 300')  # down to the result
    overflow = page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
    assert overflow <= 1
    box = frame.locator('input[data-layer=normals]')
    box.focus()
    box.press('Space')
    assert box.is_checked()
