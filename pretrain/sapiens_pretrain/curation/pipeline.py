# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From a heap of images to shards of people and a manifest that says why each other image is not there.

Three stages, each of independent tasks over fixed ranges of the input, so that the result is the same
for any engine and number of workers, and a killed run goes on where it was: examine (parallel), find
duplicates (one pass, in order), write shards (parallel).
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from sapiens_common.files.atomic import write_text_atomically
from sapiens_common.files.images import IMAGE_SUFFIXES
from sapiens_pretrain.data.shards import index_path, pack_shard
from sapiens_pretrain.data.sources import TrainingImages, open_images
from sapiens_pretrain.run_settings import check_settings

from .duplicates import DuplicateFinder, difference_hash
from .engines import Engine, Processes
from .filters import Filter
from .photo import Photo, Record

People = tuple[np.ndarray, np.ndarray]
Detector = Callable[[Sequence[Photo]], Sequence[People]]
"""Maps photos to (boxes xyxy (N, 4) in pixels, scores (N,)) each."""

EXAMINE_CHUNK = 256  # images per task and part file


@dataclass
class Settings:
    """What is kept, and how it is laid out.

    Attributes:
        filters: In order; the first reason to drop an image counts.
        detector: Makes a detector, in each worker; None if no filter asks for people.
        detector_batch: Images per call of the detector.
        duplicate_distance: Bits in which near-duplicates may differ; None keeps duplicates.
        images_per_shard: In all shards but the last.
        fingerprint: JSON-serialisable description of all this, to recognise the run when it resumes.
    """

    filters: Sequence[Filter] = ()
    detector: Callable[[], Detector] | None = None
    detector_batch: int = 8
    duplicate_distance: int | None = 4
    images_per_shard: int = 10000
    fingerprint: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ('detector_batch', 'images_per_shard'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} must be at least 1, got {getattr(self, name)}')


class Curation:
    """One curation run.

    Args:
        images: What :func:`open_images` takes.
        out: Folder for ``shards/``, ``manifest.jsonl``, ``summary.json``, ``people.png`` and the
            parts that let it resume.
        settings: What to keep.

    Raises:
        ValueError: The folder holds a run with other settings or images.
    """

    def __init__(self, images: str, out: str | Path, settings: Settings) -> None:
        self.images = str(images)
        self.out = Path(out)
        self.settings = settings
        self.count = -1  # not known yet
        self.count = len(self.source)
        described = {
            'images': self.images,
            'count': self.count,
            'duplicate_distance': settings.duplicate_distance,
            'images_per_shard': settings.images_per_shard,
            **settings.fingerprint,
        }
        check_settings(self.out / 'settings.json', described)

    def __getstate__(self) -> dict[str, Any]:
        """State for workers: the source and the detector are opened there."""
        return {k: v for k, v in vars(self).items() if k not in ('source', 'detect')}

    @cached_property
    def source(self) -> TrainingImages:
        """The input.

        Raises:
            ValueError: It is not what it was when the run began.
        """
        source = open_images(self.images)
        if self.count not in (-1, len(source)):
            raise ValueError(
                f'{self.images} holds {len(source)} images, and {self.count} when this run began; '
                'leave the input alone while it is read'
            )
        return source

    @cached_property
    def detect(self) -> Detector | None:
        """The detector of this process."""
        return self.settings.detector() if self.settings.detector else None

    def run(self, engine: Engine | None = None) -> dict[str, Any]:
        """Do all stages, or what is left of them; returns the content of ``summary.json``."""
        engine = engine or Processes()
        logger = MMLogger.get_current_instance()
        chunks = range(-(-self.count // EXAMINE_CHUNK))
        todo = [chunk for chunk in chunks if not self._part(chunk).is_file()]
        logger.info(f'{len(self.source)} images; {len(todo)} of {len(chunks)} parts to examine')
        if todo:
            engine(self.examine, todo)
        records = self._read_parts(len(chunks))
        if self.settings.duplicate_distance is not None:
            drop_duplicates(records, self.settings.duplicate_distance)
        kept = [record for record in records if record.kept]
        size = self.settings.images_per_shard
        for position, record in enumerate(kept):
            record.member = f'{position // size:06d}.tar/{position:09d}'
        lines = [json.dumps(record.to_dict(), sort_keys=True) for record in records]
        write_text_atomically(self.out / 'manifest.jsonl', '\n'.join(lines) + '\n')
        shards = [n for n in range(-(-len(kept) // size)) if not self._is_written(n)]
        if shards:
            engine(_ShardTask(self, kept), shards)
        return self._summarise(records)

    def _part(self, chunk: int) -> Path:
        """File with the records of a chunk."""
        return self.out / 'parts' / f'{chunk:08d}.jsonl'

    def shard_path(self, number: int) -> Path:
        """File of a shard."""
        return self.out / 'shards' / f'{number:06d}.tar'

    def _is_written(self, number: int) -> bool:
        """Whether a shard is complete: its index is written last."""
        return index_path(self.shard_path(number)).is_file()

    def examine(self, chunk: int) -> None:
        """Look at the images of a chunk and write their records."""
        start = chunk * EXAMINE_CHUNK
        stop = min(start + EXAMINE_CHUNK, len(self.source))
        lines = []
        step = self.settings.detector_batch
        for first in range(start, stop, step):
            for record in self._examine_batch(range(first, min(first + step, stop))):
                lines.append(json.dumps(record.to_dict(), sort_keys=True))
        write_text_atomically(self._part(chunk), '\n'.join(lines) + '\n')

    def _examine_batch(self, indices: range) -> list[Record]:
        """Records of some images, which share a call of the detector."""
        records, readable = [], []
        for index in indices:
            record = Record(index, '')
            records.append(record)
            try:
                photo = Photo(*self.source.read(index))
                record.name = photo.name
                if not photo.name.lower().endswith(IMAGE_SUFFIXES):  # a list may name any file
                    raise ValueError(f'the suffix is not one of {", ".join(IMAGE_SUFFIXES)}')
                record.height, record.width = photo.size
            except (ValueError, OSError) as error:
                record.name = record.name or self.source.name(index)
                record.drop(f'unreadable: {error}')
            else:
                record.hash = f'{difference_hash(photo.image):016x}'
                readable.append((photo, record))
        if self.detect and readable:
            found = self.detect([photo for photo, _ in readable])
            for (photo, _), (boxes, scores) in zip(readable, found, strict=True):
                photo.boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
                photo.scores = np.asarray(scores, dtype=np.float64).reshape(-1)
        for photo, record in readable:
            reason = self._first_reason(photo, record)
            if reason:
                record.drop(reason)
        return records

    def _first_reason(self, photo: Photo, record: Record) -> str | None:
        """What the filters have against an image.

        Raises:
            RuntimeError: A filter failed; the text names it and the image.
        """
        for check in self.settings.filters:
            try:
                reason = check(photo, record)
            except Exception as error:  # filters may be the user's own
                raise RuntimeError(f'{record.name}: filter {check} failed: {error}') from error
            if reason:
                return reason
        return None

    def _read_parts(self, count: int) -> list[Record]:
        """All records, in input order."""
        records = []
        for chunk in range(count):
            for line in self._part(chunk).read_text(encoding='utf-8').splitlines():
                records.append(Record(**json.loads(line)))
        return records

    def _summarise(self, records: list[Record]) -> dict[str, Any]:
        """Write the counts and the histogram."""
        from .plots import draw_people_histogram

        reasons = Counter(record.reason.split(':')[0] for record in records if not record.kept)
        people = Counter(record.people for record in records if record.kept)
        summary = {
            'images': len(records),
            'kept': sum(record.kept for record in records),
            'dropped': dict(sorted(reasons.items())),
            'people_per_image': {str(count): people[count] for count in sorted(people)},
            'shards_left_out': [list(bad) for bad in getattr(self.source, 'bad_shards', [])],
        }
        write_text_atomically(self.out / 'summary.json', json.dumps(summary, indent=2) + '\n')
        if self.settings.detector:
            draw_people_histogram(people, self.out / 'people.png')
        return summary


class _ShardTask:
    """Writes one shard of kept images; what workers are given."""

    def __init__(self, curation: Curation, kept: list[Record]) -> None:
        self.curation = curation
        self.kept = kept

    def __call__(self, number: int) -> None:
        size = self.curation.settings.images_per_shard
        part = self.kept[number * size : (number + 1) * size]
        images = []
        for record in part:
            name, content = self.curation.source.read(record.index)
            key = record.member.split('/')[1]
            images.append((key, content, {'name': name, 'people': record.people}))
        self.curation.shard_path(number).parent.mkdir(exist_ok=True)
        pack_shard(self.curation.shard_path(number), images)


def drop_duplicates(records: list[Record], distance: int) -> None:
    """Drop, in order, every kept image that is close to an earlier kept one.

    Args:
        records: Of all images; changed in place.
        distance: Bits in which the hashes may differ.
    """
    finder = DuplicateFinder(distance)
    for record in records:
        if not record.kept:
            continue
        value = int(record.hash, 16)
        earlier = finder.find(value)
        if earlier is None:
            finder.add(value, record.name)
        else:
            record.drop(f'duplicate: of {earlier}')
