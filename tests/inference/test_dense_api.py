# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from PIL import Image

from sapiens_depth_normal.apis import (
    DepthInferencer,
    DepthResult,
    NormalInferencer,
    NormalResult,
    SteadyRange,
)
from sapiens_inference.engine.dense import crop_region, cut_out, paste
from sapiens_inference.engine.run import run_tasks
from sapiens_inference.inputs.folders import RESULTS_MARK
from sapiens_inference.items import Frame, Item, Video
from sapiens_seg.apis import SegInferencer, SegResult

CLASSES = {'seg': SegInferencer, 'depth': DepthInferencer, 'normal': NormalInferencer}
FIELDS = {'seg': 'labels', 'depth': 'depth', 'normal': 'normal'}


@pytest.fixture(scope='module')
def engines(small_config, small_checkpoint):
    """The three dense tasks with very small models."""
    return {
        task: kind(small_config(task), small_checkpoint(task), device='cpu')
        for task, kind in CLASSES.items()
    }


def naive(engine, task, image):
    """The network on a resized image, resized back, in a few lines."""
    model = engine.loaded.model
    small = cv2.resize(image, (48, 64), interpolation=cv2.INTER_LINEAR)
    rgb = torch.from_numpy(small[..., ::-1].copy()).permute(2, 0, 1)[None].float()
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
    with torch.no_grad():
        maps = model((rgb - mean) / std, mode='tensor')
    resize = torch.nn.functional.interpolate
    if maps.shape[2:] != (64, 48):  # upstream resizes to the input first, then to the image
        maps = resize(maps, (64, 48), mode='bilinear', align_corners=False)
    maps = resize(maps, image.shape[:2], mode='bilinear', align_corners=False)[0]
    if task == 'seg':
        return maps.argmax(0).numpy()
    if task == 'normal':
        return (maps / maps.norm(dim=0, keepdim=True)).permute(1, 2, 0).numpy()
    return maps[0].numpy()


@pytest.mark.parametrize('task', list(CLASSES))
def test_the_whole_image_is_resized_without_keeping_its_aspect(engines, photo, task):
    image = photo(3, 50, 90)
    found = getattr(engines[task](image)[0], FIELDS[task])
    expected = naive(engines[task], task, image)
    assert found.shape == expected.shape
    if task == 'seg':
        assert (found == expected).mean() > 0.999 and len(np.unique(found)) > 2
    elif task == 'depth':
        resized = np.abs(found - expected).max()
        assert resized < 2e-2 * np.ptp(expected)  # one resize or two
    else:
        np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1, atol=1e-4)
        assert np.median((found * expected).sum(axis=2)) > 0.999


@pytest.mark.parametrize('task', list(CLASSES))
def test_maps_equal_those_of_the_test_tool(engines, photo, task):
    engine = engines[task]
    image = photo(4, 70, 40)
    item = type('Item', (), {'pixels': image, 'label': 'x'})()
    with torch.no_grad():
        sample = engine.loaded.model.test_step(pseudo_collate([engine.preprocess(item, None)]))[0]
    found = getattr(engine(image)[0], FIELDS[task])
    np.testing.assert_array_equal(found, engine.extract(sample))


@pytest.mark.parametrize('task', list(CLASSES))
def test_images_of_any_sizes_share_a_batch(engines, photo, task):
    """The reference's lite scripts need equal sizes in a batch."""
    images = [photo(seed, 40 + 9 * seed, 80 - 7 * seed) for seed in range(4)]
    together = list(engines[task](images, batch_size=4))
    for image, result in zip(images, together, strict=True):
        values = getattr(result, FIELDS[task])
        assert values.shape[:2] == image.shape[:2]
        alone = getattr(engines[task](image)[0], FIELDS[task])
        if task == 'seg':
            assert (values == alone).mean() > 0.999
        else:
            np.testing.assert_allclose(values, alone, atol=2e-3 * np.abs(alone).max())


def test_crops_of_people_are_put_back(engines, photo):
    image = photo(5, 100, 160)
    boxes = np.array([[10, 20, 50, 80], [90, 10, 140, 90]], float)
    depth = engines['depth'](image, boxes)[0].depth
    regions = [crop_region(box, image.shape, 48 / 64, padded=False) for box in boxes]
    inside = np.zeros(image.shape[:2], bool)
    for x1, y1, x2, y2 in regions:
        inside[y1:y2, x1:x2] = True
        crop = engines['depth'](np.ascontiguousarray(image[y1:y2, x1:x2]))[0].depth
        np.testing.assert_allclose(depth[y1:y2, x1:x2], crop, atol=1e-4)
    assert np.isnan(depth[~inside]).all()
    labels = engines['seg'](image, boxes)[0].labels
    assert (labels[~inside] == 0).all() and labels[inside].any()
    normal = engines['normal'](image, boxes)[0].normal
    assert (normal[~inside] == 0).all()


def test_where_crops_overlap_the_nearer_person_has_the_say():
    views = [np.array([0, 0, 10, 10]), np.array([5, 0, 15, 10])]
    maps = [np.full((10, 10), 1, np.uint8), np.full((10, 10), 2, np.uint8)]
    result = paste((10, 20), views, maps, 0)
    assert result[5, 6] == 1 and result[5, 8] == 2
    assert result[5, 2] == 1 and result[5, 12] == 2 and result[5, 17] == 0
    np.testing.assert_array_equal(result, paste((10, 20), views[::-1], maps[::-1], 0))
    maps[0][:] = 0  # background gives way to a part, however near
    assert paste((10, 20), views, maps, 0, background=0)[5, 6] == 2
    assert paste((4, 5), [], [], np.nan).shape == (4, 5)


def test_of_a_crop_that_leaves_the_image_the_part_inside_is_put_back():
    values = np.arange(10 * 20, dtype=np.float32).reshape(10, 20)
    region = np.array([-4, 5, 6, 13])
    crop = cut_out(values, region, outside=-1)
    assert crop.shape == (8, 10) and (crop[:, :4] == -1).all() and (crop[5:] == -1).all()
    np.testing.assert_array_equal(crop[:5, 4:], values[5:, :6])
    result = paste((10, 20), [region], [crop], np.nan)
    np.testing.assert_array_equal(result[5:, :6], values[5:, :6])
    assert np.isnan(result).sum() == result.size - 30


@pytest.mark.parametrize(
    ('box', 'clipped', 'padded'),
    [
        ([40, 40, 60, 60], [37, 33, 63, 67], [37, 33, 63, 67]),  # grown by 1.25 and to 3:4
        ([-50, -50, 20, 20], [0, 0, 29, 44], [-3, -7, 23, 27]),  # of the part in the image
        ([90, 10, 100, 90], [57, 0, 100, 100], [57, 0, 133, 100]),
        ([98, 98, 99, 99], [97, 97, 100, 100], [97, 97, 100, 100]),
        ([200, 10, 300, 50], [99, 0, 100, 100], [80, 5, 120, 55]),  # beside the image
    ],
)
def test_crop_regions(box, clipped, padded):
    box = np.array(box, float)
    region = crop_region(box, (100, 100, 3), 0.75, padded=False)
    np.testing.assert_allclose(region, clipped, atol=1)
    assert (region[2:] > region[:2]).all()
    region = crop_region(box, (100, 100, 3), 0.75, padded=True)
    np.testing.assert_allclose(region, padded, atol=1)


def test_a_mask_reaches_pictures_and_results_but_not_the_raw_values(engines, photo, tmp_path):
    image = photo(6)
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[10:30, 20:40] = 255
    plain = engines['depth'](image)[0].depth
    result = engines['depth'](image, masks=mask, out_dir=tmp_path, legend=True)[0]
    np.testing.assert_array_equal(result.depth, plain)
    np.testing.assert_array_equal(result.mask, mask > 0)
    stored = np.load(tmp_path / 'depth/image_000000.npy')
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, plain)
    deep = cv2.imread(str(tmp_path / 'depth/image_000000.png'), cv2.IMREAD_UNCHANGED)
    assert deep.dtype == np.uint16 and (deep[mask == 0] == 65535).all()
    np.testing.assert_allclose(deep[mask > 0] / 65535, plain[mask > 0].clip(0, 1), atol=1 / 65535)
    picture = cv2.imread(str(tmp_path / 'depth/image_000000.jpg'))
    grey = picture[: image.shape[0], 70 + 0 : 70 + 4].astype(int)  # background beside the photo
    assert np.abs(grey - 128).mean() < 12


@pytest.mark.parametrize('case', ['empty mask', 'no mask', 'flat depth'])
def test_empty_missing_and_flat_do_not_crash(engines, photo, tmp_path, case):
    """The reference's depth demos crash on an empty mask and without masks, and divide by zero."""
    image = photo(7)
    masks = np.zeros(image.shape[:2], np.uint8) if case == 'empty mask' else None
    engine = engines['depth']
    if case == 'flat depth':
        engine.postprocess, original = (
            lambda item, views, outputs: DepthResult(
                original(item, views, outputs).source, np.full(image.shape[:2], 0.5, np.float32)
            ),
            engine.postprocess,
        )
    try:
        result = engine(image, masks=masks, out_dir=tmp_path)[0]
    finally:
        engine.__dict__.pop('postprocess', None)
    assert result.ok and (tmp_path / 'depth/image_000000.jpg').is_file()


@pytest.mark.parametrize('task', ['seg', 'depth'])
def test_pictures_of_a_video_are_equally_wide(engines, photo, task):
    """Legends that grow and shrink with what is seen would make the encoder stretch the frames."""
    frame = Frame(Video('film', None, Fraction(25)), 0, 0.0)
    widths = set()
    for seed in range(3):
        item = Item(seed, 'film', image=photo(seed), frame=frame)
        outputs = [np.full((48, 64), seed, np.uint8) if task == 'seg' else photo(seed)[..., 0] / 99]
        item.results[task] = engines[task].postprocess(item, [None], outputs)
        widths.add(engines[task].explained(item).shape)
    assert len(widths) == 1


def test_depth_colours_follow_a_video_slowly(photo):
    video, steady = Video('film', None, Fraction(25)), SteadyRange('depth')
    found = []
    for number, far in enumerate([1.0, 1.0, 2.0, *[2.0] * 200]):
        item = Item(number, 'film', frame=Frame(video, number, number / 25))
        depth = np.linspace(0, far, 101, dtype=np.float32)[None]
        item.results['depth'] = DepthResult(None, depth)
        steady(item)
        found.append(item.limits[1])
    assert found[0] == found[1] < found[2] < 1.1  # a jump does not flash
    assert found[-1] == pytest.approx(2 * found[0], rel=1e-3)
    photo_item = Item(0, 'a')
    steady(photo_item)
    assert photo_item.limits is None


def test_masks_from_the_segmentation_model(engines, photo):
    image = photo(8)
    labels = engines['seg'](image)[0].labels
    result = engines['normal'](image, masks=engines['seg'])[0]
    np.testing.assert_array_equal(result.mask, labels > 0)


def test_a_mask_of_the_tasks_themselves_needs_a_segmentation_anywhere(
    engines, photo, tmp_path, monkeypatch
):
    labels = engines['seg'](photo(8))[0].labels
    assemble, seen = engines['depth'].postprocess, []

    def watch(item, *rest):
        seen.append(item.mask)
        return assemble(item, *rest)

    monkeypatch.setattr(engines['depth'], 'postprocess', watch)
    for masks in (True, engines['seg']):
        tasks = [engines['depth'], engines['seg']]  # the mask comes first all the same
        assert run_tasks(tasks, photo(8), tmp_path, masks=masks).task == 'seg, depth'
        np.testing.assert_array_equal(seen.pop(), labels > 0)
    for masks in (True, engines['normal']):
        with pytest.raises(ValueError, match='masks of a segmentation were asked for, and .*depth'):
            engines['depth'](photo(8), masks=masks)


def test_files_of_tasks_never_collide_and_serve_as_masks(engines, photo, tmp_path):
    """Upper-case suffixes made the reference's segmentation overwrite its own mask."""
    cv2.imwrite(str(tmp_path / 'A.JPG'), photo(9))
    for engine in engines.values():
        engine(tmp_path / 'A.JPG', out_dir=tmp_path / 'out')
    files = {p.relative_to(tmp_path / 'out').as_posix() for p in (tmp_path / 'out').rglob('*.*')}
    assert files == {
        *('seg/A.png', 'seg/A.jpg', 'seg/summary.json', 'seg/legend.png'),
        *('depth/A.npy', 'depth/A.png', 'depth/A.jpg', 'depth/summary.json'),
        *('normal/A.npy', 'normal/A.jpg', 'normal/summary.json'),
        *(f'{task}/{RESULTS_MARK}' for task in engines),
    }
    for task in engines:  # pictures are as large as the photo
        assert cv2.imread(str(tmp_path / f'out/{task}/A.jpg')).shape == (48, 64, 3)
    labels = engines['seg'](tmp_path / 'A.JPG')[0].labels
    stored = Image.open(tmp_path / 'out/seg/A.png')
    assert stored.mode == 'P'
    np.testing.assert_array_equal(np.asarray(stored), labels)
    palette = engines['seg'].vocabulary.palette
    shown = np.asarray(stored.convert('RGB'))
    np.testing.assert_array_equal(shown, np.asarray(palette, np.uint8)[labels])
    result = engines['depth'](tmp_path / 'A.JPG', masks=tmp_path / 'out/seg')[0]
    np.testing.assert_array_equal(result.mask, labels > 0)


def test_results_survive_json(engines, photo):
    for task, kind in (('seg', SegResult), ('depth', DepthResult), ('normal', NormalResult)):
        result = engines[task](photo(1))[0]
        back = kind.from_dict(result.to_dict())
        np.testing.assert_array_equal(getattr(back, FIELDS[task]), getattr(result, FIELDS[task]))
        assert back.source == result.source


def test_a_head_of_another_vocabulary_is_refused(small_config, small_checkpoint):
    config = small_config('seg')
    config.test_dataloader.dataset.vocabulary = 'lip'
    with pytest.raises(ValueError, match='the head has 28 classes, the vocabulary lip 20'):
        SegInferencer(config, small_checkpoint('seg'))
