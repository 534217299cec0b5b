# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import signal
import threading
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from sapiens_common.weights import find_config
from sapiens_inference import Inferencer, Result, Source
from sapiens_inference.engine.models import build_model
from sapiens_inference.outputs.writers import write_json

SIZE = (64, 48)  # (h, w) of the small models
SECOND = ('pointmap', 'albedo', 'matting')  # tasks of Sapiens2 alone
ARCH = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=64)


@dataclass(repr=False, eq=False)
class MeanResult(Result):
    """Mean colour of each crop, (N, 3), and what the batch looked like."""

    means: np.ndarray
    boxes: np.ndarray
    track_ids: np.ndarray | None
    task: ClassVar[str] = 'mean'
    suffixes: ClassVar[tuple[str, ...]] = ('.json',)

    def save(self, stem):
        write_json(stem.with_name(f'{stem.name}.json'), self.means.tolist())

    def record(self):
        return {'means': self.means.tolist()}


class MeanInferencer(Inferencer):
    """A task without a network: the mean colour of every box."""

    task = 'mean'
    result_type = MeanResult
    output = 'mean: of the grey values'
    needs_boxes = True

    def __init__(self, needs_boxes=True, workers=3, fail_on=(), oom_above=None, name='mean'):
        self.needs_boxes, self.workers, self.task = needs_boxes, workers, name
        self.fail_on, self.oom_above = fail_on, oom_above
        self.detector = None
        self.loaded = SimpleNamespace(describe=lambda: {'model': 'mean'})
        self.batches, self.alive, self.most_alive = [], 0, 0
        self.lock = threading.Lock()

    def views(self, item, crops):
        if not (self.needs_boxes or crops):
            return [None]
        return list(item.boxes.xyxy)

    def preprocess(self, item, view):
        if item.name in self.fail_on:
            raise RuntimeError('no crop')
        image = item.pixels
        if view is not None:
            x1, y1, x2, y2 = (int(v) for v in view)
            image = image[max(y1, 0) : y2, max(x1, 0) : x2]
        return image.reshape(-1, 3).astype(np.float64)

    def forward(self, samples):
        if self.oom_above is not None and len(samples) > self.oom_above:
            raise torch.cuda.OutOfMemoryError('fake memory is full')
        self.batches.append(len(samples))
        return [sample.mean(axis=0) for sample in samples]

    def postprocess(self, item, views, outputs):
        means = np.stack(outputs) if outputs else np.zeros((0, 3))
        boxes = item.boxes.xyxy if item.boxes is not None else np.zeros((0, 4))
        ids = item.boxes.track_ids if item.boxes is not None else None
        result = MeanResult(Source.of(item), means, boxes, ids)
        result.task = self.task
        return result

    def empty(self, source):
        return MeanResult(source, np.zeros((0, 3)), np.zeros((0, 4)), None)

    def visualize(self, item):
        return cv2.bitwise_not(item.pixels)


@pytest.fixture
def mean_task():
    """Factory of tasks without a network."""
    return MeanInferencer


@pytest.fixture
def photo():
    """`photo(seed, height, width)`: a BGR image with structure."""

    def make(seed=0, height=48, width=64):
        rng = np.random.default_rng(seed)
        small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)

    return make


@pytest.fixture
def odd_folder(tmp_path, photo):
    """Every kind of file a folder of photos may hold; `people` says which are good."""
    folder = tmp_path / 'photos'
    (folder / 'sub').mkdir(parents=True)
    image = photo()
    cv2.imwrite(str(folder / 'good.jpg'), image)
    cv2.imwrite(str(folder / 'good.png'), image)
    cv2.imwrite(str(folder / 'UPPER.JPG'), image)
    cv2.imwrite(str(folder / 'sub' / 'good.jpg'), image)
    cv2.imwrite(str(folder / 'grey.png'), image[..., 0])
    cv2.imwrite(str(folder / 'deep.png'), image.astype(np.uint16) * 257)
    alpha = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    alpha[:24, :, 3] = 0
    cv2.imwrite(str(folder / 'alpha.png'), alpha)
    cv2.imwrite(str(folder / 'one_pixel.png'), image[:1, :1])
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to see it upright
    Image.fromarray(image[..., ::-1].copy()).save(folder / 'rotated.jpg', exif=exif, quality=95)
    (folder / 'broken.jpg').write_bytes(b'\xff\xd8\xff\xe0 this is no photo')
    data = (folder / 'good.jpg').read_bytes()
    (folder / 'torn.jpg').write_bytes(data[: len(data) // 2])
    (folder / 'empty.jpg').write_bytes(b'')
    (folder / 'notes.md').write_text('not an image')
    return folder


@pytest.fixture(scope='session')
def small_config():
    """`small_config(task)`: a shipped config with a very small model for 64 x 48 images."""

    def second(task, shrink):
        config = Config.fromfile(str(find_config(f'sapiens2_tiny/{task}_synthetic')))
        if not shrink:
            return config
        config.model.backbone.update(arch={**ARCH, 'num_tokenizer_layers': 1}, img_size=SIZE)
        head = config.model.decode_head
        head.update(in_channels=32, upsample_out_channels=(8,) * 4, conv_out_channels=(8,))
        if task == 'pointmap':
            head.update(grid_size=(SIZE[0] // 16, SIZE[1] // 16), scale_conv_out_channels=(8,))
        for step in config.test_dataloader.dataset.pipeline:
            if 'size' in step:
                step.update(size=SIZE)
        return config

    def build(task, data=None, shrink=True):
        if task in SECOND:
            return second(task, shrink)
        data = data or ('render_people' if task in ('depth', 'normal') else 'goliath')
        config = Config.fromfile(str(find_config(f'sapiens_tiny/{task}_{data}')))
        if not shrink:
            return config
        height, width = SIZE
        config.model.backbone.update(arch=ARCH, img_size=SIZE)
        head = config.model.get('head') or config.model.decode_head
        head.update(in_channels=32)
        for key in ('deconv_out_channels', 'conv_out_channels'):
            head[key] = tuple(8 for _ in head[key])
        if task == 'pose':
            head.decoder.update(input_size=(width, height), heatmap_size=(width // 4, height // 4))
            head.decoder.update(sigma=2)
        for step in config.test_dataloader.dataset.pipeline:
            if 'input_size' in step or 'scale' in step:
                step.update({key: (width, height) for key in step.keys() & {'input_size', 'scale'}})
            if 'size' in step:
                step.update(size=SIZE)
        return config

    return build


@pytest.fixture(scope='session')
def small_model(small_config):
    """`small_model(task)`: the model of `small_config`, with random weights, always the same."""

    def build(task, data=None, shrink=True):
        model = build_model(small_config(task, data, shrink))
        generator = torch.Generator().manual_seed(1)
        for parameter in model.parameters():
            parameter.data.normal_(0, 0.15, generator=generator)
        return model.eval()

    return build


@pytest.fixture(scope='session')
def small_checkpoint(small_model, tmp_path_factory):
    """`small_checkpoint(task)`: a file with the weights of `small_model`."""
    folder = tmp_path_factory.mktemp('checkpoints')

    def build(task, data=None):
        path = folder / f'{task}_{data}.pth'
        if not path.exists():
            torch.save({'state_dict': small_model(task, data).state_dict(), 'meta': {}}, path)
        return path

    return build


@pytest.fixture
def interruptible():
    """Ctrl-C reaches this process, also where a shell has started it in the background, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
