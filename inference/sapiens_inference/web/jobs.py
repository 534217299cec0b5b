# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What a visitor asks for: checked, run on the inference engine, packed, and removed again."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sapiens_common.files.images import image_size
from sapiens_inference.engine.run import open_run
from sapiens_inference.inputs.video import VIDEO_SUFFIXES, open_video
from sapiens_inference.outputs.exports.registry import check_formats, export_run, needs_frames
from sapiens_inference.outputs.summary import Summary
from sapiens_inference.tasks import TASKS


@dataclass(frozen=True)
class Limits:
    """What a visitor may send.

    Attributes:
        files: Files of one request.
        megabytes: Of one file.
        megapixels: Of one photo.
        frames: Of one video.
        waiting: Requests that wait while one runs; more are turned away.
    """

    files: int = 20
    megabytes: int = 200
    megapixels: int = 40
    frames: int = 1800
    waiting: int = 16


def check_uploads(paths: Sequence[str | Path], limits: Limits) -> None:
    """Check files before anything is done with them.

    Raises:
        ValueError: None, too many, too large, or of no kind that can be read; the text names the file.
    """
    if not paths:
        raise ValueError('add a photo or a video first')
    if len(paths) > limits.files:
        raise ValueError(f'{len(paths)} files; this page takes {limits.files} at a time')
    for path in map(Path, paths):
        megabytes = path.stat().st_size / 2**20
        if megabytes > limits.megabytes:
            raise ValueError(
                f'{path.name}: {megabytes:.0f} MB; this page takes files up to {limits.megabytes} MB'
            )
        # A run would read the files of this machine that a list names.
        if path.suffix.lower() == '.txt':
            raise ValueError(f'{path.name}: this page takes photos and videos')
        if path.suffix.lower() in VIDEO_SUFFIXES:
            _, frames = open_video(path, path.stem)
            if frames is not None and frames > limits.frames:
                raise ValueError(
                    f'{path.name}: {frames} frames; this page takes videos up to {limits.frames}'
                )
            continue
        height, width = image_size(path)
        if height * width > limits.megapixels * 1e6:
            raise ValueError(
                f'{path.name}: {width} x {height} pixels; this page takes photos up to '
                f'{limits.megapixels} megapixels'
            )


def check_choice(tasks: Sequence[str], formats: Sequence[str]) -> None:
    """Check that the chosen tasks give what the formats need.

    Raises:
        ValueError: No task is chosen, or a format needs another.
    """
    if not tasks:
        raise ValueError('choose at least one task')
    for name, export in check_formats(formats).items():
        if name in formats and not any(task in tasks for task in export.needs):
            needed = ' or '.join(TASKS[task].title for task in export.needs)
            raise ValueError(f'{name} is made of {needed}: choose that task too')


class Workplace:
    """A folder of jobs with names nobody can guess, gone when the server ends."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix='sapiens-web-'))

    def new_job(self) -> Path:
        """An empty folder."""
        folder = self.root / secrets.token_urlsafe(24)
        folder.mkdir(mode=0o700)
        return folder

    def check_upload(self, path: str) -> Path:
        """A file that a program has sent, if it is one: no other file of this machine is read.

        Raises:
            ValueError: The path lies elsewhere.
        """
        found = Path(path).resolve()
        if not found.is_relative_to(self.root.resolve()) or not found.is_file():
            raise ValueError(f'{Path(path).name} was not uploaded to this page')
        return found

    def remove(self, folder: str | Path) -> None:
        """Remove a job's folder."""
        if Path(folder).parent == self.root:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove everything; a run under way may write meanwhile."""
        for _ in range(20):
            shutil.rmtree(self.root, ignore_errors=True)
            if not self.root.exists():
                return
            time.sleep(0.1)


def keep_uploads(paths: Sequence[str], job: Path) -> list[Path]:
    """Copies of the uploads in the job's folder, so that they live as long as its results.

    Each has a stem of its own, which is the name of its results.

    Raises:
        ValueError: Gradio has removed one, as it does after an hour.
    """
    folder = job / 'inputs'
    folder.mkdir()
    kept: dict[str, Path] = {}
    for number, path in enumerate(map(Path, paths)):
        stem = path.stem
        while stem.casefold() in kept:
            stem = f'{stem}_{number}'
        kept[stem.casefold()] = folder / f'{stem}{path.suffix}'
        try:
            shutil.copyfile(path, kept[stem.casefold()])
        except FileNotFoundError:
            raise ValueError(f'{path.name}: uploads are kept for an hour; add it again') from None
    return list(kept.values())


@dataclass
class Step:
    """How far a job is.

    Attributes:
        done: Images and frames that are finished.
        total: Of how many; None if that is not known.
        left: Seconds that it will take, as far as one can tell.
        summary: What was done so far.
    """

    done: int
    total: int | None
    left: float | None
    summary: Summary

    def __str__(self) -> str:
        left = '' if self.left is None else f', about {self.left:.0f} s left'
        return f'{self.done} of {self.total or "?"}{left}'


def run_job(
    tasks: Sequence[Any],
    paths: Sequence[str | Path],
    out: Path,
    wanted: Sequence[str],
    limits: Limits,
    boxes: Any = None,
    formats: Sequence[str] = (),
) -> Generator[Step, None, None]:
    """Run tasks on uploads, one step per image or frame. Closing the iterator ends the job.

    Args:
        tasks: Inferencers.
        paths: Files of one folder that :func:`check_uploads` took.
        out: Folder for the results.
        wanted: Tasks to keep; a multitask model gives more.
        limits: Videos that do not say how long they are end after ``limits.frames`` frames.
        boxes: See :func:`sapiens_inference.inputs.boxes.find_boxes`.
        formats: Names of exports to write to ``<out>/exports`` too.

    Raises:
        ValueError: Nothing can be done with the inputs or boxes.
    """
    segments = any(part.gives_mask for task in tasks for part in task.parts())
    masks = True if segments and len(tasks) > 1 else None
    names = [str(path) for path in paths]
    run = open_run(tasks, names, out, boxes, masks, save_frames=needs_frames(formats))
    start, done = time.monotonic(), 0
    with closing(run.run()) as items:
        for item in items:
            done += 1
            if item.frame is not None and item.frame.number >= limits.frames:
                raise ValueError(
                    f'{item.name}: more than {limits.frames} frames; this page takes shorter videos'
                )
            total = run.inputs.total
            left = (time.monotonic() - start) / done * (total - done) if total else None
            yield Step(done, total, left, run.summary)
    for folder in out.iterdir():
        if folder.is_dir() and folder.name not in (*wanted, 'sheet'):
            shutil.rmtree(folder)
    run.summary.write(out / 'summary.json')
    if formats and run.summary.done:
        export_run(out, formats, images=names)


def pack(out: Path) -> Path:
    """All files of a job in one ZIP beside its folder."""
    path = out.with_name('results.zip')
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(out.rglob('*')):
            if file.is_file():
                archive.write(file, file.relative_to(out))
    return path
