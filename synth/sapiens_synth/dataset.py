# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Write a rendered data set: many workers, atomic files, resumable, the same bytes every time."""

from __future__ import annotations

import importlib.metadata
import io
import json
import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sapiens_common.files.text import read_json
from sapiens_common.progress import Progress
from sapiens_synth.annotations import assemble
from sapiens_synth.config import RenderConfig
from sapiens_synth.person import warm_up
from sapiens_synth.sample import render_sample, subject_of
from sapiens_synth.shading import background_files

FOLDERS = {
    'image': 'images',
    'mask': 'masks',
    'depth': 'depths',
    'normal': 'normals',
    'label': 'segmentations',
    'label29': 'segmentations29',
    'albedo': 'albedos',
    'alpha': 'alphas',
}
RECORDS = 'records'
MANIFEST = 'manifest.json'
ENGINE_VERSION = 4
"""Raised with every change of the engine that changes pictures."""

logger = logging.getLogger('sapiens_synth')


def is_val(subject: int, fraction: float) -> bool:
    """Whether a subject's images are the held-out split's; evenly spread, the same for any count."""
    return int((subject + 1) * fraction + 1e-9) > int(subject * fraction + 1e-9)


def stem_of(index: int) -> str:
    """File stem of an image."""
    return f'{index:06d}'


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that it exists whole or not at all, even if the process is killed.

    Unlike :mod:`sapiens_common.files.atomic` this does not wait for the disk: renders are many small files.
    """
    aside = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    aside.write_bytes(data)
    os.replace(aside, path)


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(value, separators=(',', ':'), ensure_ascii=False) + '\n').encode()


def _npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _encode(extension: str, image: np.ndarray, options: list[int]) -> bytes:
    ok, data = cv2.imencode(extension, image, options)
    if not ok:
        raise ValueError(f'OpenCV cannot encode an image of shape {image.shape} as {extension}')
    return data.tobytes()


def write_sample(root: Path, index: int, sample: dict[str, Any], config: RenderConfig) -> None:
    """Write one image's files; its record comes last and marks it complete.

    Args:
        root: Data set folder.
        index: Number of the image.
        sample: Result of :func:`sapiens_synth.sample.render_sample`.
        config: Settings.
    """
    stem = stem_of(index)
    extension = f'.{config.image_format}'
    options = (
        [cv2.IMWRITE_JPEG_QUALITY, 93] if extension == '.jpg' else [cv2.IMWRITE_PNG_COMPRESSION, 3]
    )
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 3]
    name = stem + extension
    write_atomic(root / FOLDERS['image'] / name, _encode(extension, sample['image'], options))
    for kind in ('mask', 'alpha', 'albedo', 'label', 'label29'):
        if sample[kind] is not None:
            write_atomic(root / FOLDERS[kind] / f'{stem}.png', _encode('.png', sample[kind], fast))
    write_atomic(root / FOLDERS['depth'] / f'{stem}.npy', _npy_bytes(sample['depth']))
    normal = sample['normal'].astype(np.float16)
    write_atomic(root / FOLDERS['normal'] / f'{stem}.npy', _npy_bytes(normal))
    height, width = config.size
    record = {
        'image': {
            'file_name': name,
            'width': width,
            'height': height,
            'camera': sample['camera'],
            **sample['meta'],
        },
        'annotations': sample['annotations'],
    }
    write_atomic(root / RECORDS / f'{stem}.json', _json_bytes(record))


def _job(task: tuple[str, int, int, RenderConfig]) -> tuple[int, str | None]:
    """Render and write one image; returns its index and, for bad input, the reason."""
    root, seed, index, config = task
    try:
        sample = render_sample(seed, index, config)
    except ValueError as error:
        return index, str(error)
    write_sample(Path(root), index, sample, config)
    return index, None


def _start_worker() -> None:
    # One process per core: inner threads would only compete.
    cv2.setNumThreads(0)


def _run(
    tasks: list[tuple[str, int, int, RenderConfig]], workers: int, chunk: int
) -> Iterator[tuple[int, str | None]]:
    if workers <= 1:
        yield from map(_job, tasks)
        return
    method = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else 'spawn'
    context = multiprocessing.get_context(method)
    # multiprocessing's own pool would wait for ever for the task of a worker that was killed.
    with ProcessPoolExecutor(workers, context, _start_worker) as pool:
        try:
            yield from pool.map(_job, tasks, chunksize=chunk)
        except BrokenProcessPool as error:
            raise ChildProcessError(
                'a render worker was killed (out of memory?); finished images are kept: run the same '
                'command again, with fewer --workers'
            ) from error


def versions() -> dict[str, str]:
    """Versions of what decides about the bytes."""
    out = {'engine': str(ENGINE_VERSION)}
    for name in ('numpy', 'opencv-python', 'trimesh', 'embreex'):
        try:
            out[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            out[name] = 'unknown'
    return out


def _prepare(root: Path, manifest: dict[str, Any]) -> None:
    """Create the folders, check that an older run had the same settings, drop torn files."""
    kinds = [kind for kind in FOLDERS if kind != 'label29' or manifest['config']['glasses']]
    for folder in (*(FOLDERS[kind] for kind in kinds), RECORDS, 'annotations'):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for torn in (root / folder).glob('.*.tmp'):
            torn.unlink()
    path = root / MANIFEST
    old = read_json(path) if path.exists() else None
    if old is not None:
        # Settings that came later had their defaults.
        old['config'] = {**RenderConfig().to_dict(), **old['config']}
        for key in ('seed', 'val_fraction', 'config'):
            if old.get(key) != manifest[key]:
                raise ValueError(
                    f'{root} was rendered with {key} = {old.get(key)}, now asked for {manifest[key]}; '
                    'use the same settings to resume, or another folder'
                )
        if old.get('versions') != manifest['versions']:
            logger.warning('library versions changed since %s was started: pixels may differ', root)
    if old != manifest:
        write_atomic(path, (json.dumps(manifest, indent=1) + '\n').encode())


def _finish(
    root: Path, count: int, config: RenderConfig, val_fraction: float, info: dict[str, Any]
) -> tuple[int, int]:
    """Write the annotation files and split lists from the records."""
    split: dict[str, list[dict[str, Any]]] = {'train': [], 'val': []}
    for index in range(count):
        path = root / RECORDS / f'{stem_of(index)}.json'
        if path.exists():
            held_out = is_val(subject_of(index, config), val_fraction)
            split['val' if held_out else 'train'].append(read_json(path))
    if val_fraction and not split['val']:
        logger.warning(
            'no image is held out, val.txt is empty: val_fraction = %g of %d people is none',
            val_fraction, len(config.scans) or count,
        )  # fmt: skip
    for name, records in split.items():
        data = assemble(records, {**info, 'split': name})
        write_atomic(root / 'annotations' / f'person_keypoints_{name}.json', _json_bytes(data))
        stems = ''.join(Path(r['image']['file_name']).stem + '\n' for r in records)
        write_atomic(root / f'{name}.txt', stems.encode())
    return len(split['train']), len(split['val'])


def render_dataset(
    out: str | Path,
    count: int,
    config: RenderConfig | None = None,
    seed: int = 0,
    workers: int = 1,
    val_fraction: float = 0.1,
    progress: bool = True,
) -> dict[str, Any]:
    """Render a data set, or what is missing of it.

    Image ``i`` depends on (seed, i, config) only, so the files are the same whatever the number of workers
    and however often the run was interrupted. A sample whose scan is broken is skipped and named. No person
    is in both splits: of scans, all images go where the scan goes (of several in one image, the first).

    Args:
        out: Folder to write; an unfinished one is continued.
        count: Number of images.
        config: Settings; None takes the default preset.
        seed: Seed.
        workers: Processes.
        val_fraction: Share of images, or of scans with their images, in the ``val`` lists.
        progress: Show a progress bar.

    Returns:
        ``rendered``, ``reused``, ``train``, ``val`` counts, ``skipped`` (list of index and reason) and
        ``seconds``.

    Raises:
        ValueError: If settings contradict an earlier run in ``out``, or every image failed.
        ChildProcessError: A worker was killed.
    """
    config = config or RenderConfig()
    if count < 1:
        raise ValueError(f'count must be at least 1, got {count}')
    if not 0 <= val_fraction < 1:
        raise ValueError(f'val_fraction must be in [0, 1), got {val_fraction}')
    if config.backgrounds:
        background_files(config.backgrounds)  # raises now, not once per image
    root = Path(out)
    source = 'scans' if config.scans else 'procedural people'
    manifest = {
        'description': f'Synthetic humans rendered from {source} by sapiens_synth',
        'seed': seed,
        'val_fraction': val_fraction,
        'config': config.to_dict(),
        'versions': versions(),
    }
    _prepare(root, manifest)
    done = {p.stem for p in (root / RECORDS).glob('*.json')}
    beyond = sorted(stem for stem in done if int(stem) >= count)
    if beyond:
        raise ValueError(
            f'{root} already holds {len(done)} images, up to {beyond[-1]}, but count is {count}; '
            'raise count or use another folder'
        )
    todo = [i for i in range(count) if stem_of(i) not in done]
    tasks = [(str(root), seed, i, config) for i in todo]
    workers = max(1, min(workers, len(tasks)))
    start = time.perf_counter()
    if workers > 1 and not config.scans:
        warm_up(config.detail, wardrobe=len(tasks) >= 20 * workers)
    skipped: list[dict[str, Any]] = []
    chunk = 3 if config.every_framing else 1
    bar = Progress(
        total=len(tasks), desc='render', unit='img', disable=not progress, smoothing=0.05
    )
    with bar:
        for index, reason in _run(tasks, workers, chunk):
            bar.update()
            if reason is not None:
                skipped.append({'index': index, 'reason': reason})
    skipped.sort(key=lambda item: item['index'])
    for reason in sorted({item['reason'] for item in skipped}):
        logger.warning(
            'skipped %d image(s): %s', sum(s['reason'] == reason for s in skipped), reason
        )
    info = {'description': manifest['description'], 'seed': seed, 'versions': manifest['versions']}
    train, val = _finish(root, count, config, val_fraction, info)
    if train + val == 0:
        raise ValueError(f'no image could be rendered; first reason: {skipped[0]["reason"]}')
    return {
        'rendered': len(todo) - len(skipped),
        'reused': count - len(todo),
        'train': train,
        'val': val,
        'skipped': skipped,
        'seconds': time.perf_counter() - start,
    }
