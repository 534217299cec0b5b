# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Tasks without a network for tools/annotate.py, and photos that make their worker die."""

import os
import time

import cv2
import numpy as np

from sapiens_depth_normal.apis import DepthInferencer, DepthResult
from sapiens_inference.annotate.engines import Engine
from sapiens_inference.annotate.run import Run
from sapiens_inference.annotate.settings import Settings
from sapiens_inference.annotate.worker import Annotator
from sapiens_inference.engine.task import Task
from sapiens_inference.outputs.results import Source
from sapiens_pose.apis import PoseResult
from sapiens_seg.apis import SegResult

DEADLY, FAILING, STUCK = 250, 240, 230
"""Grey values of photos on which the worker dies, the model fails, or nothing ends."""
DELAY = 'SAPIENS_TEST_DELAY'


class Fake(Task):
    """Base: the photo goes in, and something simple comes out."""

    output = 'invented'
    workers = 2

    def describe(self):
        return {}

    def views(self, item, crops):
        return [None]

    def preprocess(self, item, view):
        time.sleep(float(os.environ.get(DELAY, 0)))
        return item.pixels

    def forward(self, samples):
        for sample in samples:
            if (sample == DEADLY).all():
                os._exit(9)
            if (sample == FAILING).all():
                raise RuntimeError('the model fails')
            if (sample == STUCK).all():
                time.sleep(600)
        return samples

    def visualize(self, item):
        return item.pixels

    def empty(self, source):
        raise NotImplementedError


class FakeSeg(Fake):
    task, result_type, gives_mask = 'seg', SegResult, True

    def postprocess(self, item, views, outputs):
        labels = (outputs[0][..., 0] > 127).astype(np.uint8)
        return SegResult(
            Source.of(item), labels, ['background', 'person'], [[0, 0, 0], [255, 0, 0]]
        )


class FakeDepth(Fake):
    task, result_type = 'depth', DepthResult
    finishers = DepthInferencer.finishers

    def postprocess(self, item, views, outputs):
        return DepthResult(Source.of(item), outputs[0][..., 1].astype(np.float32) / 255)


class FakePose(Fake):
    """A point in the brightest place of two channels; its score is the brightness."""

    task, result_type, needs_boxes = 'pose', PoseResult, True

    def views(self, item, crops):
        return list(item.boxes.xyxy)

    def postprocess(self, item, views, outputs):
        width = item.pixels.shape[1]
        people = [outputs_of.reshape(-1, 3)[:, :2] for outputs_of in outputs]
        best = np.array([person.argmax(axis=0) for person in people]).reshape(-1, 2)
        scores = np.array([person.max(axis=0) for person in people], np.float32).reshape(-1, 2)
        points = np.stack([best % width, best // width], axis=-1).astype(np.float64)
        boxes = item.boxes
        return PoseResult(
            *(Source.of(item), boxes.xyxy, boxes.scores, boxes.origin),
            *(points, scores / 255, ['left', 'right']),
        )


def build(settings):
    """The tasks that the settings name."""
    kinds = {'seg': FakeSeg, 'pose': FakePose, 'depth': FakeDepth}
    return [kinds[name]() for name in settings.weights]


class Inline:
    """A worker in this process."""

    def __init__(self, options):
        self.annotator = Annotator(**options)

    def start(self):
        return {'ready': os.getpid()}

    def annotate(self, shard, timeout):
        return self.annotator.serve(shard)

    def close(self):
        pass


def inline_engine(options):
    """One worker in this process."""
    return Engine(1, lambda place: Inline(options))


def settings_for(tasks=('seg', 'pose', 'depth'), **options):
    """Settings of a run whose tasks are the ones of this file."""
    options = {'boxes': 'image', 'per_shard': 8, 'builder': 'annotate_tasks:build', **options}
    return Settings(weights=dict.fromkeys(tasks, 'none'), **options)


def annotate(place, out, settings=None, engine=inline_engine, tries=2, **options):
    """Label what is at a place, and return the report."""
    settings = settings or settings_for()
    run = Run(str(place), str(out), settings)
    common = {'settings': settings, 'settings_id': run.settings_id}
    made = engine({**common, 'output': run.storage.place, 'tries': tries})
    return run.run(made, quiet=True, **options)


def write_photos(folder, count, size=(24, 32)):
    """PNGs of noise, named by their number."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        image = rng.integers(0, 225, (*size, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{number:04d}.png'), image)


def write_grey(path, value, size=(24, 32)):
    """A photo of one grey value."""
    cv2.imwrite(str(path), np.full((*size, 3), value, np.uint8))


def write_video(path, frames=40, rate=10):
    """Two squares that move; with B-frames, and a key frame every 15."""
    import av

    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=rate, options={'g': '15', 'bf': '2'})
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for number in range(frames):
            image = np.full((48, 64, 3), number * 3, np.uint8)
            image[5:15, number : number + 8] = (255, 200, 0)
            image[25:35, 50 - number : 58 - number] = (0, 255, 200)
            frame = av.VideoFrame.from_ndarray(image, format='bgr24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def final_files(folder):
    """Content of the output by name, without what may differ from run to run."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file() and path.relative_to(folder).parts[0] != 'log'
    }
