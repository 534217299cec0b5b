# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From a heap of images to shards of people and a manifest that says why each other image is not there.

Three stages, each of independent tasks over fixed ranges of the input, so that the result is the same
for any engine and number of workers, and a killed run goes on where it was: examine, find duplicates, write
shards. Between them one process goes through the records in order and keeps none of them in memory.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from mmengine.logging import MMLogger

from sapiens_common.files.atomic import write_atomically, write_text_atomically
from sapiens_common.files.images import IMAGE_SUFFIXES
from sapiens_pretrain.data.shards import index_path, pack_shard
from sapiens_pretrain.data.sources import TrainingImages, open_images
from sapiens_pretrain.run_settings import check_settings

from .duplicates import DuplicateSearch, Hashes, difference_hash
from .engines import Engine, Processes
from .filters import Filter
from .photo import Photo, Record

People = tuple[np.ndarray, np.ndarray]
Detector = Callable[[Sequence[Photo]], Sequence[People]]
"""Maps photos to (boxes xyxy (N, 4) in pixels, scores (N,)) each."""

EXAMINE_CHUNK = 256  # images per task and part file
HASHED_CHUNKS = 4096  # of them per task that sorts hashes: a million images


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
        self.source = open_images(self.images)
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
        """The input, which a worker opens for itself.

        Raises:
            ValueError: It is not what it was when the run began.
        """
        source = open_images(self.images)
        if len(source) != self.count:
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
        duplicates = self._duplicates(engine, len(chunks))
        summary = self._write_manifest(self._final_records(chunks, duplicates))
        shards = range(-(-summary['kept'] // self.settings.images_per_shard))
        todo = [n for n in shards if not index_path(self.shard_path(n)).is_file()]  # written last
        if todo:
            engine(self.write_shard, todo)
        return summary

    def _part(self, chunk: int) -> Path:
        """File with the records of a chunk."""
        return self.out / 'parts' / f'{chunk:08d}.jsonl'

    def shard_path(self, number: int) -> Path:
        """File of a shard."""
        return self.out / 'shards' / f'{number:06d}.tar'

    def _kept(self, number: int) -> Path:
        """File with the records of a shard's images."""
        return self.out / 'parts' / f'shard_{number:06d}.jsonl'

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

    def _records(self, chunks: range) -> Iterator[Record]:
        """Records of some chunks, in input order."""
        for chunk in chunks:
            for line in self._part(chunk).read_text(encoding='utf-8').splitlines():
                yield Record(**json.loads(line))

    def hashes(self, part: int) -> Hashes:
        """Hashes of the images that the filters keep, of some chunks."""
        start, chunks = part * HASHED_CHUNKS, -(-self.count // EXAMINE_CHUNK)
        records = self._records(range(start, min(start + HASHED_CHUNKS, chunks)))
        kept = [(int(r.hash, 16), r.index) for r in records if r.kept]
        hashes, positions = np.array(kept, np.uint64).reshape(-1, 2).T
        return hashes, positions

    def _duplicates(self, engine: Engine, chunks: int) -> np.ndarray:
        """Images to drop, and what they are near to; see :meth:`DuplicateSearch.run`."""
        distance = self.settings.duplicate_distance
        if distance is None:
            return np.empty((0, 2), np.int64)
        folder, parts = self.out / 'parts' / 'duplicates', -(-chunks // HASHED_CHUNKS)
        return DuplicateSearch(folder, self.hashes, parts, self.count, distance).run(engine)

    def _final_records(self, chunks: range, duplicates: np.ndarray) -> Iterator[Record]:
        """All records, with duplicates dropped and the others given their place in the shards."""
        names = dict.fromkeys(duplicates[:, 1].tolist(), '')
        drop = iter([*duplicates.tolist(), (-1, -1)])
        dropped, near = next(drop)
        kept = 0
        for record in self._records(chunks):
            if record.index in names:
                names[record.index] = record.name
            if record.index == dropped:
                record.drop(f'duplicate: of {names[near]}')
                dropped, near = next(drop)
            if record.kept:
                record.member = f'{kept // self.settings.images_per_shard:06d}.tar/{kept:09d}'
                kept += 1
            yield record

    def _write_manifest(self, records: Iterator[Record]) -> dict[str, Any]:
        """Write the manifest, the list of each shard's images, and the summary."""
        reasons: Counter[str] = Counter()
        people: Counter[int] = Counter()

        def write(manifest: BinaryIO) -> None:
            shard: list[str] = []
            numbers = count()
            for record in records:
                line = json.dumps(record.to_dict(), sort_keys=True) + '\n'
                manifest.write(line.encode())
                if not record.kept:
                    reasons[record.reason.split(':')[0]] += 1
                    continue
                people[record.people] += 1
                shard.append(line)
                if len(shard) == self.settings.images_per_shard:
                    write_text_atomically(self._kept(next(numbers)), ''.join(shard))
                    shard.clear()
            if shard:
                write_text_atomically(self._kept(next(numbers)), ''.join(shard))

        write_atomically(self.out / 'manifest.jsonl', write)
        return self._summarise(reasons, people)

    def _summarise(self, reasons: Counter[str], people: Counter[int]) -> dict[str, Any]:
        """Write the counts and the histogram."""
        from .plots import draw_people_histogram

        kept = people.total()
        summary = {
            'images': kept + reasons.total(),
            'kept': kept,
            'dropped': dict(sorted(reasons.items())),
            'people_per_image': {str(count): people[count] for count in sorted(people)},
            'shards_left_out': [list(bad) for bad in getattr(self.source, 'bad_shards', [])],
        }
        write_text_atomically(self.out / 'summary.json', json.dumps(summary, indent=2) + '\n')
        if self.settings.detector:
            draw_people_histogram(people, self.out / 'people.png')
        return summary

    def write_shard(self, number: int) -> None:
        """Write a shard of kept images."""
        images = []
        for line in self._kept(number).read_text(encoding='utf-8').splitlines():
            record = Record(**json.loads(line))
            name, content = self.source.read(record.index)
            key = record.member.split('/')[1]
            images.append((key, content, {'name': name, 'people': record.people}))
        self.shard_path(number).parent.mkdir(exist_ok=True)
        pack_shard(self.shard_path(number), images)
