# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The table of formats, and the call that writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from sapiens_inference.outputs.writers import UNFINISHED

from .run_folder import Images, RunFolder

Write = Callable[[RunFolder, Path], list[Path]]
"""Writes a run into a folder that exists; returns the files."""

_MODULES = ('coco', 'wholebody', 'openpose', 'tables', 'trc', 'cutouts', 'exr', 'clouds', 'rerun')


@dataclass(frozen=True)
class Export:
    """A format.

    Attributes:
        name: What users call it.
        write: Writes it.
        needs: Tasks of which the run must hold at least one.
        text: What it is, in one line.
    """

    name: str
    write: Write
    needs: tuple[str, ...]
    text: str


EXPORTS: dict[str, Export] = {}


def register_export(name: str, needs: Sequence[str]) -> Callable[[Write], Write]:
    """Register a function under the name of its format; the first line of its docstring describes it.

    Raises:
        ValueError: The name is taken.
    """

    def register(write: Write) -> Write:
        if name in EXPORTS:
            raise ValueError(f'the export format {name!r} is registered already')
        text = (write.__doc__ or '').strip().split('\n')[0].rstrip('.').replace('``', '')
        EXPORTS[name] = Export(name, write, tuple(needs), text)
        return write

    return register


def known_exports() -> dict[str, Export]:
    """All formats by name; the shipped ones are imported first."""
    for module in _MODULES:
        import_module(f'{__package__}.{module}')
    return EXPORTS


def check_formats(formats: Sequence[str]) -> dict[str, Export]:
    """The known formats, once it is sure that these are among them.

    Raises:
        ValueError: One is not.
    """
    known = known_exports()
    unknown = [name for name in formats if name not in known]
    if unknown:
        raise ValueError(f'unknown export formats {unknown}; there are {sorted(known)}')
    return known


def needs_frames(formats: Sequence[str]) -> bool:
    """Whether one of the formats is made of maps, which a run keeps of video frames on request only.

    Raises:
        ValueError: One is unknown.
    """
    known = check_formats(formats)
    return any('pose' not in known[name].needs for name in formats)


def export_run(
    folder: str | Path,
    formats: Sequence[str],
    out: str | Path | None = None,
    images: Images = None,
) -> dict[str, list[Path]]:
    """Write the results of a run in other formats.

    Args:
        folder: What a run wrote: ``<folder>/<task>/<stem>.*``.
        formats: Names of :func:`known_exports`.
        out: Where the files go, in a folder per format; None for ``<folder>/exports``.
        images: The inputs of the run, for formats that show them: a folder, pattern, list or file, or several. Needed
            where the results do not name their image (keypoints do), or it has moved.

    Returns:
        The files of each format.

    Raises:
        ValueError: An unknown format, no results of the kind that a format needs, or results that
            cannot be read.
    """
    known = check_formats(formats)
    run = RunFolder(folder, images)
    target = Path(out) if out is not None else run.folder / 'exports'
    written: dict[str, list[Path]] = {}
    for name in formats:
        export = known[name]
        if not any(task in run.tasks for task in export.needs):
            hint = '; videos keep their maps with --save-frames' if run.films else ''
            raise ValueError(
                f'{run.folder}: the format {name!r} needs results of {" or ".join(export.needs)}; '
                f'found {", ".join(run.tasks) or "none"}{hint}'
            )
        place = target / name
        place.mkdir(parents=True, exist_ok=True)
        # What is interrupted leaves no torn file, and those of earlier exports stay.
        with TemporaryDirectory(prefix=UNFINISHED, dir=target) as aside:
            paths = export.write(run, Path(aside))
            for path in [path for path in Path(aside).rglob('*') if path.is_file()]:
                whole = place / path.relative_to(aside)
                whole.parent.mkdir(parents=True, exist_ok=True)
                path.replace(whole)
            written[name] = [place / path.relative_to(aside) for path in paths]
    return written
