# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The page: uploads and choices on one side, layers and files on the other."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')  # read at import
os.environ.setdefault('HF_HUB_DISABLE_TELEMETRY', '1')
import gradio as gr

from sapiens_inference.outputs.exports.clouds import write_cloud
from sapiens_inference.outputs.exports.run_folder import Record, RunFolder
from sapiens_inference.web.jobs import Limits, Workplace, check_uploads, pack, run_job
from sapiens_inference.web.recipe import command_of, python_of
from sapiens_inference.web.shelf import ModelShelf
from sapiens_inference.web.viewer import photo_page, video_page

EXAMPLES = Path(__file__).parent / 'examples'
WHOLE, FOUND, DRAWN = 'whole image', 'person detector', 'drawn by hand'
_FINDERS = {WHOLE: 'image', FOUND: 'detector'}
_TALL = 'width:100%;height:min(82vh,900px);border:0;border-radius:8px'


def build_page(shelf: ModelShelf, place: Workplace, limits: Limits) -> gr.Blocks:
    """The page of some models.

    Args:
        shelf: The models.
        place: Where jobs keep their files.
        limits: What visitors may send.
    """
    with gr.Blocks(
        title='Sapiens', analytics_enabled=False, delete_cache=(600, 3600), fill_width=True
    ) as page:
        jobs = gr.State([], time_to_live=3600, delete_callback=lambda old: _forget(place, old))
        corner = gr.State(None)
        gr.Markdown(
            '# Sapiens\nPeople in your photos and videos. Everything stays on this machine.'
        )
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                files = gr.File(
                    label='Photos or videos', file_count='multiple', elem_id='files', height=140
                )
                with gr.Accordion('Webcam', open=False):
                    shot = gr.Image(sources=['webcam'], type='filepath', label='One picture')
                tasks = gr.CheckboxGroup(shelf.tasks, value=shelf.tasks, label='Tasks')
                finder = gr.Radio([WHOLE, FOUND, DRAWN], value=WHOLE, label='People')
                with gr.Group(visible=False) as drawing:
                    sketch = gr.Image(
                        interactive=False, type='numpy', label='Click two corners of each person'
                    )
                    boxes = gr.Textbox(
                        label='Boxes, one a line: x1, y1, x2, y2 in pixels',
                        lines=2,
                        elem_id='boxes',
                    )
                with gr.Row():
                    start = gr.Button('Run', variant='primary', elem_id='run')
                    stop = gr.Button('Cancel', elem_id='cancel')
                status = gr.Markdown(elem_id='status')
                if EXAMPLES.is_dir():
                    gr.Examples(
                        [[[str(path)]] for path in sorted(EXAMPLES.glob('*.jpg'))],
                        [files],
                        label='Rendered people',
                    )
            with gr.Column(scale=3, min_width=320):
                chosen = gr.Dropdown([], label='Result', visible=False, elem_id='chosen')
                view = gr.HTML(elem_id='view')
                cloud = gr.Model3D(label='Points', visible=False, height=420)
                archive = gr.File(label='All files', visible=False, elem_id='archive')
                with gr.Accordion('The same on the command line and in Python', open=False):
                    command = gr.Code(language='shell', label='Shell', interactive=False)
                    script = gr.Code(language='python', label='Python', interactive=False)

        def go(
            paths: list[str] | None,
            photo: str | None,
            wanted: list[str],
            kind: str,
            text: str,
            old: list[str],
            progress: gr.Progress = gr.Progress(),  # noqa: B008  (Gradio's way of asking for it)
        ) -> Iterator[dict[Any, Any]]:
            job = place.new_job()
            try:
                inputs = _keep_names([*(paths or []), *([photo] if photo else [])], job)
                check_uploads(inputs, limits)
                if not wanted:
                    raise ValueError('choose at least one task')
                where = _FINDERS.get(kind) or read_boxes(text)
                given = where if isinstance(where, str) else np.array(where, np.float32)
                progress(0, desc='loading the models')
                models = shelf.choose(wanted)
                out = job / 'results'
                summary = None
                for step in run_job(models, inputs, out, wanted, limits, given):
                    summary = step.summary
                    text = f'{step.done} of {step.total or "?"}'
                    if step.left is not None:
                        text += f', about {step.left:.0f} s left'
                    progress((step.done, step.total), desc=text, unit='images')
                if summary is None or not summary.done:
                    raise ValueError(_failures(summary))
                names = [record.stem for record in _shown(out, inputs)]
                sent = [path.name for path in inputs]
                yield {
                    status: f'{summary.done} of {summary.inputs} done in {summary.wall_seconds:.1f} s'
                    + ('\n\n' + _failures(summary) if summary.failed else ''),
                    chosen: gr.Dropdown(names, value=names[0], visible=len(names) > 1),
                    archive: gr.File(str(pack(out)), visible=True),
                    command: command_of(shelf.sources, wanted, sent, where),
                    script: python_of(shelf.sources, wanted, sent, where),
                    jobs: [*old, str(job)],
                }
            except GeneratorExit:
                place.remove(job)
                raise
            except Exception as error:
                place.remove(job)
                raise gr.Error(_plain(error, job), print_exception=False) from error

        def show(name: str | None, done: list[str]) -> tuple[str, Any]:
            if not name or not done:
                return '', gr.Model3D(visible=False)
            job = Path(done[-1])
            record = next(r for r in _shown(job / 'results', _inputs(job)) if r.stem == name)
            if record.video is not None:
                return _frame(_film(job, record)), gr.Model3D(visible=False)
            made = write_cloud(record, job / f'{name.replace("/", "_")}.glb')
            model = gr.Model3D(None if made is None else str(made), visible=made is not None)
            return _frame(photo_page(record)), model

        def point(event: gr.SelectData, first: Any, text: str) -> tuple[Any, str]:
            x, y = event.index
            if first is None:
                return (x, y), text
            box = [min(first[0], x), min(first[1], y), max(first[0], x), max(first[1], y)]
            return None, '\n'.join([*text.split('\n'), ', '.join(map(str, box))]).strip()

        outputs = [status, chosen, archive, command, script, jobs]
        running = start.click(
            go,
            [files, shot, tasks, finder, boxes, jobs],
            outputs,
            show_progress='full',
            show_progress_on=status,
            concurrency_limit=1,
            api_visibility='private',
        )
        running.success(show, [chosen, jobs], [view, cloud], api_visibility='private')
        chosen.input(show, [chosen, jobs], [view, cloud], api_visibility='private')
        stop.click(
            lambda: 'cancelled',
            None,
            status,
            cancels=[running],
            api_visibility='private',
            queue=False,
        )
        finder.change(
            lambda kind: gr.Group(visible=kind == DRAWN), finder, drawing, api_visibility='private'
        )
        files.change(
            lambda paths: paths[0] if paths else None, files, sketch, api_visibility='private'
        )
        sketch.select(point, [corner, boxes], [corner, boxes], api_visibility='private')

        def infer(photo: dict, tasks: list[str], boxes: list[list[float]] | None) -> dict:
            """Results of one photo by task, as ``Result.to_dict`` gives them.

            ``photo`` is a file of Gradio's client (``handle_file(path)``), ``boxes`` rows of x1, y1, x2, y2.
            """
            try:
                path = place.check_upload(photo['path'])
                check_uploads([path], limits)
                given = np.array(boxes, np.float32) if boxes else 'image'
                found = {}
                for model in shelf.choose(tasks):
                    for name, result in model.infer(path, given)[0].by_task().items():
                        if name in tasks:
                            found[name] = result.to_dict()
                return found
            except Exception as error:
                raise gr.Error(_plain(error), print_exception=False) from error

        gr.api(infer, api_name='infer', concurrency_limit=1)
    return page.queue(max_size=limits.waiting, default_concurrency_limit=4)


def theme() -> gr.themes.Base:
    """Gradio's plain theme with the fonts of the system: the default one asks a web server for its own."""
    return gr.themes.Base(font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace'])


def read_boxes(text: str) -> list[list[float]]:
    """Boxes of a text field.

    Raises:
        ValueError: A line is not four numbers, or there is none.
    """
    rows = []
    for line in filter(None, map(str.strip, text.split('\n'))):
        try:
            row = [float(value) for value in line.replace(';', ',').split(',')]
        except ValueError:
            row = []
        if len(row) != 4:
            raise ValueError(f'box {line!r}: expected four numbers, x1, y1, x2, y2 in pixels')
        rows.append(row)
    if not rows:
        raise ValueError('draw a box first: click two of its corners, or write x1, y1, x2, y2')
    return rows


def _keep_names(paths: list[str], job: Path) -> list[Path]:
    """Copies of the uploads in the job's folder, so that they live as long as its results."""
    folder = job / 'inputs'
    folder.mkdir()
    kept = []
    for number, path in enumerate(map(Path, paths)):
        target = folder / path.name
        if target.exists():
            target = folder / f'{path.stem}_{number}{path.suffix}'
        shutil.copyfile(path, target)
        kept.append(target)
    return kept


def _inputs(job: Path) -> list[Path]:
    return sorted((job / 'inputs').iterdir())


def _shown(out: Path, inputs: list[Path]) -> list[Record]:
    """One record per photo, and one per video."""
    run = RunFolder(out, inputs[0].parent)
    films: set[str] = set()
    records = []
    for record in run.records(pixels=False):
        if record.video is None:
            records.append(record)
        elif record.video not in films:
            films.add(record.video)
            record.picture = None
            record.frame = None
            records.append(record)
    return records


def _film(job: Path, record: Record) -> str:
    """The page of a video: of the sheet of all tasks, or of the only task."""
    out = job / 'results'
    film = next(
        path
        for task in ('sheet', *record.run.tasks)
        if (path := out / task / f'{record.name}.mp4').is_file()
    )
    frames = [r for r in record.run.records(pixels=False) if r.video == record.video]
    for frame in frames:
        frame.picture = None
    return video_page(f'/gradio_api/file={film}', frames)


def _frame(page: str) -> str:
    return f'<iframe title="Result" srcdoc="{html.escape(page)}" style="{_TALL}"></iframe>'


def _failures(summary: Any) -> str:
    if summary is None or not summary.failed:
        return 'nothing was done'
    return '\n'.join(f'- {Path(f["input"]).name}: {_plain(f["error"])}' for f in summary.failed)


def _plain(error: object, job: Path | None = None) -> str:
    """A message without the folders of this machine."""
    text = str(error) or type(error).__name__
    for path in {word for word in text.replace(':', ' ').split() if word.startswith('/')}:
        text = text.replace(path, Path(path).name)
    return text


def _forget(place: Workplace, jobs: list[str]) -> None:
    for job in jobs:
        place.remove(job)
