# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every source gives every image exactly once per pass, whoever reads, and names what is broken."""

import io
import json
import pickle
import tarfile
from itertools import pairwise

import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from PIL import Image
from torch.utils.data import BatchSampler, DataLoader

from sapiens_common.files.jpeg import decode_jpeg
from sapiens_pretrain.data.dataset import ImageSet, StreamSampler
from sapiens_pretrain.data.shards import ShardedImages, index_path, pack_shard
from sapiens_pretrain.data.sources import open_images
from sapiens_pretrain.data.transforms import DecodeRandomResizedCrop, decode_crop
from sapiens_train.data import ResumableDataLoader

COUNT = 13


def encode(value, size=(40, 30), form='JPEG', **options):
    """A one-colour image (width, height) as file content."""
    buffer = io.BytesIO()
    Image.new('RGB', size, (value, value, value)).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    """13 images in two folders; one has an upper-case suffix; beside them a file that is none."""
    for index in range(COUNT):
        name = (
            tmp_path
            / 'images'
            / ('a' if index % 2 else 'b')
            / f'{index}.{"JPG" if index else "png"}'
        )
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(encode(10 * index, form='JPEG' if index else 'PNG'))
    (tmp_path / 'images' / 'notes.md').write_text('no image')
    return tmp_path / 'images'


@pytest.fixture
def shards(folder):
    """The same images in shards of 5."""
    files = sorted(folder.rglob('*.*[gG]'), key=lambda path: int(path.stem))
    out = folder.parent / 'shards'
    out.mkdir()
    for number, start in enumerate(range(0, COUNT, 5)):
        group = [
            (f'{start + i:09d}', path.read_bytes(), {'name': path.name})
            for i, path in enumerate(files[start : start + 5])
        ]
        pack_shard(out / f'{number:06d}.tar', group)
    return out


@pytest.fixture
def listed(folder):
    path = folder.parent / 'list.txt'
    lines = [str(file.relative_to(folder.parent)) for file in sorted(folder.rglob('*.*[gG]'))]
    path.write_text('# images\n\n' + '\n'.join(lines) + '\n')
    return path


SOURCES = ['folder', 'listed', 'shards']
PIPELINE = [dict(type='sapiens_pretrain.DecodeRandomResizedCrop', size=(32, 32))]


def dataset_of(request, kind):
    return ImageSet(str(request.getfixturevalue(kind)), PIPELINE)


def value_of(sample):
    """Which image a one-colour crop came from."""
    return round(float(np.median(sample['img'])) / 10)


@pytest.mark.parametrize('kind', SOURCES)
def test_every_image_is_read(request, kind):
    dataset = dataset_of(request, kind)
    assert sorted(value_of(dataset[i]) for i in range(len(dataset))) == list(range(COUNT))
    assert dataset.get_data_info(0)['img_path'] == dataset[0]['img_path']


def streams(dataset, world_size, monkeypatch, count, **options):
    """The first indices each rank gets."""
    found = []
    for rank in range(world_size):
        monkeypatch.setattr(
            'sapiens_pretrain.data.dataset.get_dist_info', lambda rank=rank: (rank, world_size)
        )
        stream = iter(StreamSampler(dataset, seed=3, **options))
        found.append([next(stream) for _ in range(count)])
    return found


@pytest.mark.parametrize('kind', SOURCES)
@pytest.mark.parametrize('world_size', [1, 2, 3])
@pytest.mark.parametrize('shuffle', [True, False])
def test_each_pass_holds_every_image_once(request, monkeypatch, kind, world_size, shuffle):
    dataset = dataset_of(request, kind)
    ranks = streams(dataset, world_size, monkeypatch, 3 * COUNT, shuffle=shuffle)
    joined = [index for step in zip(*ranks, strict=True) for index in step]
    passes = [joined[i * COUNT : (i + 1) * COUNT] for i in range(3)]
    for one in passes:
        assert sorted(one) == list(range(COUNT))
    assert (passes[0] != passes[1]) == shuffle


@pytest.mark.parametrize('world_size', [1, 2, 3])
def test_windows_hold_every_image_once_and_stay_in_few_shards(request, monkeypatch, world_size):
    dataset = dataset_of(request, 'shards')
    ranks = streams(dataset, world_size, monkeypatch, 2 * COUNT, window=1)
    joined = [index for step in zip(*ranks, strict=True) for index in step]
    for number in range(2):
        one = joined[number * COUNT : (number + 1) * COUNT]
        assert sorted(one) == list(range(COUNT))
        shard = [int(np.searchsorted([5, 10], index, side='right')) for index in one]
        assert sum(a != b for a, b in pairwise(shard)) == 2


def test_order_depends_on_the_seed_alone(request, monkeypatch):
    dataset = dataset_of(request, 'folder')
    (alone,) = streams(dataset, 1, monkeypatch, 30)
    pair = streams(dataset, 2, monkeypatch, 15)
    assert [index for step in zip(*pair, strict=True) for index in step] == alone
    monkeypatch.undo()
    other = iter(StreamSampler(dataset, seed=4))
    assert [next(other) for _ in range(30)] != alone


def test_window_needs_shards(request):
    with pytest.raises(ValueError, match='window=2 needs a data set of shards'):
        StreamSampler(dataset_of(request, 'folder'), window=2, seed=0)


def test_stream_length(request, monkeypatch):
    monkeypatch.setattr('sapiens_pretrain.data.dataset.get_dist_info', lambda: (0, 3))
    assert len(StreamSampler(dataset_of(request, 'folder'), seed=0)) == 5


def loader_of(dataset, workers, skip=0):
    sampler = StreamSampler(dataset, seed=0)
    inner = DataLoader(
        dataset,
        batch_sampler=BatchSampler(sampler, 4, drop_last=False),
        num_workers=workers,
        collate_fn=default_collate,
    )
    loader = ResumableDataLoader(inner, seed=5, max_bad_share=0.5)
    loader.start_at(seed=5, epoch=0, skip=skip, endless=True)
    return loader


@pytest.mark.parametrize('kind', SOURCES)
def test_resumed_batches_are_identical_for_any_number_of_workers(request, kind):
    dataset = dataset_of(request, kind)
    batches = [batch for batch, _ in zip(loader_of(dataset, 2), range(7), strict=False)]
    resumed = [batch for batch, _ in zip(loader_of(dataset, 0, skip=3), range(4), strict=False)]
    for ours, theirs in zip(batches[3:], resumed, strict=True):
        assert ours['img_path'] == theirs['img_path']
        assert torch.equal(torch.as_tensor(ours['img']), torch.as_tensor(theirs['img']))


def test_webdataset_reads_our_shards(shards):
    webdataset = pytest.importorskip('webdataset', reason='the oracle of the shard format')
    found = []
    for path in sorted(shards.glob('*.tar')):
        found += list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [item['__key__'] for item in found] == [f'{i:09d}' for i in range(COUNT)]
    names = [json.loads(item['json'])['name'] for item in found]
    source = open_images(shards)
    assert names == ['0.png', *(f'{i}.JPG' for i in range(1, COUNT))]
    for index, item in enumerate(found):
        assert source.read(index)[1] == item['png' if index == 0 else 'jpg']


def test_foreign_shards_are_indexed_once(shards):
    for path in shards.glob('*.npy'):
        path.unlink()
    assert len(open_images(shards / '*.tar')) == COUNT
    assert len(list(shards.glob('*.index.npy'))) == 3
    assert len(open_images(shards / '000000.tar')) == 5


def test_shards_are_reproducible_bytes(shards):
    again = shards.parent / 'again.tar'
    source = ShardedImages([shards / '000002.tar'])
    images = [source.read(i)[1] for i in range(3)]
    pack_shard(
        again, [(f'{10 + i:09d}', c, {'name': f'{10 + i}.JPG'}) for i, c in enumerate(images)]
    )
    assert again.read_bytes() == (shards / '000002.tar').read_bytes()


def test_sources_survive_spawning(shards):
    source = open_images(shards)
    copy = pickle.loads(pickle.dumps(source))
    assert copy.read(7) == source.read(7)


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (
            lambda path: path.write_bytes(path.read_bytes()[:9000]),
            'has 9000 bytes, its index was made',
        ),
        (
            lambda path: (path.write_bytes(b'x' * 2000), index_path(path).unlink()),
            'is not a readable, uncompressed tar',
        ),
        (
            lambda path: (path.write_bytes(path.read_bytes()[:700]), index_path(path).unlink()),
            'cut off|not a readable',
        ),
        (lambda path: path.unlink(), 'cannot be read'),
        (lambda path: index_path(path).write_bytes(b'?'), 'delete it to rebuild'),
        (lambda path: np.save(index_path(path), np.arange(9)), 'delete it to rebuild'),
    ],
)
def test_a_corrupt_shard_is_named_skipped_and_counted(shards, damage, message):
    bad = shards / '000001.tar'
    damage(bad)
    source = ShardedImages([shards / f'{i:06d}.tar' for i in range(3)])
    assert len(source) == COUNT - 5
    (found,) = source.bad_shards
    assert found.path == str(bad)
    assert '000001.tar' in found.error
    with pytest.raises(ValueError, match=message):
        ShardedImages([bad], max_bad_share=0)


def test_too_many_corrupt_shards_stop_the_run(shards):
    for number in (0, 1):
        (shards / f'{number:06d}.tar').write_bytes(b'')
    with pytest.raises(
        ValueError, match=r'2 of 3 shards are unreadable, .* 0.5, the first: .*000000'
    ):
        open_images(shards)


def test_a_shard_without_images(tmp_path):
    with tarfile.open(tmp_path / 'x.tar', 'w') as archive:
        archive.addfile(tarfile.TarInfo('readme.txt'))
    with pytest.raises(ValueError, match='holds no image'):
        open_images(tmp_path / 'x.tar')


def test_corrupt_images_are_named_replaced_and_counted(request, folder, caplog):
    broken = folder / 'a' / '3.JPG'
    broken.write_bytes(broken.read_bytes()[:200])
    missing = folder / 'b' / '4.JPG'
    dataset = dataset_of(request, 'folder')
    missing.unlink()
    loader = loader_of(dataset, 0)
    for batch, _ in zip(loader, range(4), strict=False):
        assert len(batch['img_path']) == 4
    assert {bad.name.split(' ')[0] for bad in loader.bad.values()} == {str(broken), str(missing)}


def test_suffixes_in_any_case(shards, listed):
    (shards / '000001.tar').rename(shards / '000001.TAR')
    index_path(shards / '000001.tar').rename(index_path(shards / '000001.TAR'))
    assert len(open_images(shards)) == len(open_images(f'{shards}/*')) == COUNT
    assert len(open_images(shards / '000001.TAR')) == 5
    assert len(open_images(listed.rename(listed.with_suffix('.TXT')))) == COUNT


def test_open_images_explains(tmp_path):
    with pytest.raises(ValueError, match='expected a folder of images or of .tar shards'):
        open_images(tmp_path / 'nothing')
    with pytest.raises(ValueError, match='holds no image'):
        open_images(tmp_path)
    (tmp_path / 'empty.txt').write_text('\n')
    with pytest.raises(ValueError, match='empty.txt is empty'):
        open_images(tmp_path / 'empty.txt')


def test_pack_shard_refuses(tmp_path):
    with pytest.raises(ValueError, match='would be empty'):
        pack_shard(tmp_path / 'x.tar', [])
    with pytest.raises(ValueError, match='x.gif is not an image'):
        pack_shard(tmp_path / 'x.tar', [('0', b'', {'name': 'x.gif'})])
    assert list(tmp_path.iterdir()) == []


def gradient(width, height, form='JPEG', **options):
    """An image whose red grows to the right and green downwards."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.stack([x, y, np.full_like(x, 128)], axis=-1).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue(), pixels


def record_reductions(monkeypatch):
    """A list that tells how far each JPEG was reduced while it was decoded."""
    reductions = []
    monkeypatch.setattr(
        'sapiens_common.files.images.decode_jpeg',
        lambda encoded, name, reduction: (
            reductions.append(reduction) or decode_jpeg(encoded, name, reduction)
        ),
    )
    return reductions


@pytest.mark.parametrize('box', [None, (100, 60, 700, 500)])
def test_reduced_decoding_equals_full_decoding(box, monkeypatch):
    encoded, pixels = gradient(803, 601, quality=98)
    reductions = record_reductions(monkeypatch)
    found = decode_crop(encoded, box, (48, 64))
    assert reductions == [8], 'an eighth is enough'
    left, top, right, bottom = box or (0, 0, 803, 601)
    full = Image.fromarray(pixels[top:bottom, left:right]).resize(
        (64, 48), Image.Resampling.BICUBIC
    )
    difference = np.abs(found[..., ::-1].astype(int) - np.asarray(full).astype(int))
    assert difference.max() <= 6 and difference.mean() < 1


def test_small_crops_decode_in_full(monkeypatch):
    encoded, _ = gradient(200, 160)
    reductions = record_reductions(monkeypatch)
    assert decode_crop(encoded, (0, 0, 100, 90), (64, 64)).shape == (64, 64, 3)
    assert reductions == [1]


def test_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to show upright
    encoded, pixels = gradient(120, 80, form='PNG', exif=exif)
    found = decode_crop(encoded, None, (120, 80))[..., ::-1]
    np.testing.assert_array_equal(found, np.rot90(pixels, -1))


@pytest.mark.parametrize(
    ('mode', 'form'), [('L', 'PNG'), ('RGBA', 'PNG'), ('P', 'PNG'), ('CMYK', 'JPEG')]
)
def test_other_colour_modes(mode, form):
    buffer = io.BytesIO()
    image = Image.new('RGB', (20, 20), (200, 200, 200))
    (image.quantize(4) if mode == 'P' else image.convert(mode)).save(buffer, form)
    found = decode_crop(buffer.getvalue(), None, (16, 16))
    assert found.shape == (16, 16, 3)
    assert np.abs(found.astype(int) - 200).max() <= 3


def test_sixteen_bit_grey_keeps_its_greys():
    # Pillow clips it to white; OpenCV, which reads the tasks' images, keeps the upper byte.
    grey = np.linspace(0, 65535, 20 * 20).reshape(20, 20).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, 'PNG')
    found = decode_crop(buffer.getvalue(), None, (20, 20))
    np.testing.assert_array_equal(found, np.repeat((grey >> 8)[..., None], 3, axis=2))


@pytest.mark.parametrize('size', [(32, 32), (64, 48)])
def test_random_boxes_keep_area_and_shape(size):
    np.random.seed(0)
    crop = DecodeRandomResizedCrop(size)
    for _ in range(300):
        left, top, right, bottom = crop.choose_box(600, 800)
        assert 0 <= left < right <= 800 and 0 <= top < bottom <= 600
        area = (right - left) * (bottom - top) / (600 * 800)
        stretch = (right - left) / (bottom - top) * size[0] / size[1]
        assert 0.19 < area <= 1.0
        assert 0.74 < stretch < 1.35


def test_a_box_has_at_least_a_pixel(monkeypatch):
    monkeypatch.setattr('sapiens_pretrain.data.transforms._TRIES', 0)
    assert DecodeRandomResizedCrop((64, 16)).choose_box(1, 1) == (0, 0, 1, 1)


def test_extreme_images_get_the_central_crop():
    assert DecodeRandomResizedCrop((32, 32)).choose_box(10, 1000) == (493, 0, 506, 10)
