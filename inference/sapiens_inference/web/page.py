# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The page: uploads and choices on one side, layers and files on the other."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np

os.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')  # read at import
os.environ.setdefault('HF_HUB_DISABLE_TELEMETRY', '1')
import gradio as gr

from sapiens_inference.inputs.photos import read_photo
from sapiens_inference.inputs.video import VIDEO_SUFFIXES
from sapiens_inference.outputs.exports.registry import known_exports
from sapiens_inference.outputs.summary import Summary
from sapiens_inference.tasks import DEFAULT_WEIGHTS, TASKS
from sapiens_inference.web.jobs import (
    Limits,
    Workplace,
    check_choice,
    check_uploads,
    keep_uploads,
    pack,
    run_job,
)
from sapiens_inference.web.recipe import command_of, python_of
from sapiens_inference.web.results import JobResults
from sapiens_inference.web.shelf import ModelShelf

ABOUT = 'People in your photos and videos. Everything stays on this machine.'
SMALL = (
    ' This is the small model that comes with the suite: it has seen nothing but rendered people. Start the page with '
    '`--weights sapiens_1b` or other published models for results on photos.'
)
_CENTRED = '<p style="text-align:center;padding:12vh 1em;opacity:.7">{}</p>'
WELCOME = _CENTRED.format(
    'Add photos or a video, or take an example, and press Run.<br>The results appear here.'
)
GONE = _CENTRED.format('Results are kept for an hour. Press Run again.')
# A phone shows the result below everything else.
_SCROLL = """() => { if (innerWidth < 800) document.querySelector('#view').scrollIntoView({ behavior: 'smooth' }) }"""
EXAMPLES = Path(__file__).parent / 'examples'
BOX_COLOR = (0, 208, 255)  # BGR
STYLE = '#status label { display: block } #status progress { width: 100%; accent-color: #3b82f6 }'
WHOLE, FOUND, DRAWN = 'whole image', 'person detector', 'drawn by hand'
_FINDERS = {WHOLE: 'image', FOUND: 'detector'}
FILES = '/gradio_api/file='
"""Address of a file that visitors may see, before its path."""


def build_page(shelf: ModelShelf, place: Workplace, limits: Limits) -> gr.Blocks:
    """The page of some models.

    Args:
        shelf: The models.
        place: Where jobs keep their files.
        limits: What visitors may send.
    """
    known = shelf.tasks
    with gr.Blocks(
        title='Sapiens', analytics_enabled=False, delete_cache=(600, 3600), fill_width=True
    ) as page:
        jobs = gr.State([], time_to_live=3600, delete_callback=lambda old: _forget(place, old))
        corner = gr.State(None)
        gr.Markdown(
            f'# Sapiens\n{ABOUT}{SMALL if DEFAULT_WEIGHTS in shelf.sources.values() else ""}'
        )
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                files = gr.File(
                    label='Photos or videos', file_count='multiple', elem_id='files', height=140
                )
                examples = sorted(map(str, EXAMPLES.glob('*.jpg')))
                gr.Markdown('or take a rendered person')
                gallery = gr.Gallery(
                    examples,
                    show_label=False,
                    columns=3,
                    height=110,
                    object_fit='contain',
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                    elem_id='examples',
                )
                with gr.Accordion('Webcam', open=False):
                    shot = gr.Image(sources=['webcam'], type='filepath', label='One picture')
                tasks = gr.CheckboxGroup(
                    [(TASKS[name].title, name) for name in known], value=known, label='Tasks'
                )
                whole = 'pose' not in shelf.sources  # which was made for the boxes of people
                finder = gr.Radio(
                    [WHOLE, FOUND, DRAWN], value=WHOLE if whole else FOUND, label='People'
                )
                with gr.Group(visible=False) as drawing:
                    sketch = gr.Image(
                        interactive=False,
                        format='jpeg',
                        label='Click two corners of each person',
                        elem_id='sketch',
                    )
                    boxes = gr.Textbox(
                        '',
                        label='Boxes of every file, one a line: x1, y1, x2, y2 in pixels',
                        lines=2,
                        elem_id='boxes',
                    )
                exports = gr.Dropdown(
                    [(f'{name}: {export.text}', name) for name, export in known_exports().items()],
                    multiselect=True,
                    label='Also write, for other tools',
                    elem_id='exports',
                )
                with gr.Row():
                    start = gr.Button('Run', variant='primary', min_width=120, elem_id='run')
                    stop = gr.Button('Cancel', interactive=False, min_width=120, elem_id='cancel')
            with gr.Column(scale=3, min_width=320):
                status = gr.HTML(elem_id='status', padding=True)
                chosen = gr.Dropdown([], label='Result', visible=False, elem_id='chosen')
                view = gr.HTML(WELCOME, elem_id='view')
                cloud = gr.Model3D(label='Points', visible=False, height=420, elem_id='cloud')
                archive = gr.File(label='All files', visible=False, elem_id='archive')
                with gr.Accordion(
                    'The same on the command line and in Python', open=False, visible=False
                ) as recipe:
                    command = gr.Code(language='shell', label='Shell', interactive=False)
                    script = gr.Code(language='python', label='Python', interactive=False)

        def go(
            paths: list[str] | None,
            photo: str | None,
            wanted: list[str],
            kind: str,
            text: str,
            formats: list[str],
            old: list[str],
        ) -> Iterator[dict[Any, Any]]:
            # A visitor who cancels or leaves ends this at a yield, and with it the run.
            job = place.new_job()
            try:
                inputs = keep_uploads([*(paths or []), *([photo] if photo else [])], job)
                check_uploads(inputs, limits)
                check_choice(wanted, formats)
                where = _FINDERS.get(kind) or read_boxes(text)
                given = where if isinstance(where, str) else np.array(where, np.float32)
                yield {status: _progress('loading the models')}
                models = shelf.choose(wanted)
                out = job / 'results'
                yield {status: _progress('running')}
                step = None
                with closing(run_job(models, inputs, out, wanted, limits, given, formats)) as steps:
                    for step in steps:
                        yield {status: _progress(str(step), step.done, step.total)}
                if step is None:
                    raise ValueError('there is no frame in it')
                if not step.summary.done:
                    raise ValueError(_failures(step.summary))
                names = JobResults(job, FILES).names
                sent = [path.name for path in inputs]
                yield {
                    status: _report(step.summary),
                    chosen: gr.Dropdown(names, value=names[0], visible=len(names) > 1),
                    archive: gr.File(str(pack(out)), visible=True),
                    command: command_of(shelf, wanted, sent, where, formats),
                    script: python_of(shelf, wanted, sent, where, formats),
                    recipe: gr.Accordion(visible=True),
                    jobs: [*old, str(job)],
                }
            except GeneratorExit:
                place.remove(job)
                raise
            except Exception as error:
                place.remove(job)
                yield {status: f'<div role="status">{html.escape(_plain(error))}</div>'}
                raise gr.Error(_plain(error), print_exception=False) from error

        def ended(text: str | None) -> list[Any]:
            # What ends with its bar on the page was cancelled; an error has put its text there.
            return ['cancelled' if '<progress' in (text or '') else text, *_buttons(busy=False)]

        def show(name: str, done: list[str]) -> tuple[str, Any]:
            job = _newest(done)
            if job is None:
                return GONE, gr.Model3D(visible=False)
            results = JobResults(job, FILES)
            return _frame(results.page(name)), gr.Model3D(visible=results.has_cloud(name))

        def turn(name: str, done: list[str]) -> str | None:
            job = _newest(done)
            made = None if job is None else JobResults(job, FILES).cloud(name)
            return None if made is None else str(made)

        def take(event: gr.SelectData) -> list[str]:
            return [examples[event.index]]

        def draw(paths: list[str] | None, kind: str, text: str, first: Any) -> np.ndarray | None:
            photos = [path for path in paths or [] if not path.lower().endswith(VIDEO_SUFFIXES)]
            if kind != DRAWN or not photos:
                return None
            try:
                return draw_boxes(read_photo(photos[0])[0], text, first)[..., ::-1]
            except ValueError as error:
                raise gr.Error(_plain(error), print_exception=False) from error

        def point(event: gr.SelectData, first: Any, text: str) -> tuple[Any, Any]:
            x, y = event.index
            if first is None:
                return (x, y), gr.skip()
            box = [min(first[0], x), min(first[1], y), max(first[0], x), max(first[1], y)]
            return None, '\n'.join([*text.split('\n'), ', '.join(map(str, box))]).strip()

        quiet: Any = {'api_visibility': 'private', 'show_progress': 'hidden'}
        alone: Any = {'concurrency_limit': 1, 'concurrency_id': 'model'}
        outputs = [status, chosen, archive, recipe, command, script, jobs]
        # One after the other: the browser runs two listeners of a button in turn.
        busy = start.click(lambda: _buttons(busy=True), None, [start, stop], queue=False, **quiet)
        running = busy.then(
            go,
            [files, shot, tasks, finder, boxes, exports, jobs],
            outputs,
            show_progress='minimal',
            show_progress_on=status,
            **alone,
            api_visibility='private',
        )
        shown = running.success(show, [chosen, jobs], [view, cloud], **quiet)
        shown.then(None, None, None, js=_SCROLL, **quiet)
        again = chosen.input(
            show, [chosen, jobs], [view, cloud], trigger_mode='always_last', **quiet
        )
        # Gradio shows a model only if it comes after its place has become visible.
        for event in (shown, again):
            event.then(turn, [chosen, jobs], cloud, api_visibility='private')
        running.success(lambda: _buttons(busy=False), None, [start, stop], queue=False, **quiet)
        after = [status, start, stop]
        running.failure(ended, status, after, queue=False, **quiet)
        # Progress that was under way may come after this; the failure of the run comes last.
        stop.click(
            lambda: ['cancelled', *_buttons(busy=False)],
            None,
            after,
            cancels=[running],
            queue=False,
            **quiet,
        )
        finder.change(
            lambda kind: gr.Group(visible=kind == DRAWN), finder, drawing, api_visibility='private'
        )
        gr.on(
            [files.change, finder.change, boxes.change, corner.change],
            draw,
            [files, finder, boxes, corner],
            sketch,
            **quiet,
        )
        gallery.select(take, None, files, trigger_mode='always_last', **quiet)
        # Clicks follow each other faster than answers on a slow line: none is dropped, each waits for the last.
        sketch.select(
            point,
            [corner, boxes],
            [corner, boxes],
            trigger_mode='multiple',
            concurrency_limit=1,
            **quiet,
        )

        def infer(photo: dict, tasks: list[str], boxes: list[list[float]] | None) -> dict:
            """Results of one photo by task, as ``Result.to_dict`` gives them.

            ``photo`` is a file of Gradio's client (``handle_file(path)``), ``boxes`` rows of x1, y1, x2, y2.
            """
            try:
                path = place.check_upload(photo['path'])
                check_uploads([path], limits)
                if path.suffix.lower() in VIDEO_SUFFIXES:
                    raise ValueError(f'{path.name}: /infer takes one photo')
                given = np.array(boxes, np.float32) if boxes else 'image'
                found = {}
                for model in shelf.choose(tasks):
                    for name, result in model.infer(path, given)[0].by_task().items():
                        if name in tasks:
                            found[name] = result.to_dict()
                            # Gradio's client would take what has a path for a file to download.
                            found[name]['source']['path'] = None
                return found
            except Exception as error:
                raise gr.Error(_plain(error), print_exception=False) from error

        gr.api(infer, api_name='infer', **alone)
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
        row = _read_box(line)
        if row is None:
            raise ValueError(f'box {line!r}: expected four numbers, x1, y1, x2, y2 in pixels')
        rows.append(row)
    if not rows:
        raise ValueError('draw a box first: click two of its corners, or write x1, y1, x2, y2')
    return rows


def _read_box(line: str) -> list[float] | None:
    """x1, y1, x2, y2; None if a line is something else."""
    try:
        row = [float(value) for value in line.replace(';', ',').split(',')]
    except ValueError:
        return None
    return row if len(row) == 4 and np.isfinite(row).all() else None


def draw_boxes(photo: np.ndarray, text: str, corner: tuple[int, int] | None = None) -> np.ndarray:
    """A photo (H, W, 3) with the boxes of a text field, and the first corner of another.

    Lines that are no boxes are left out: the visitor may be writing.
    """
    drawn = photo.copy()
    width = max(2, max(photo.shape[:2]) // 300)
    for x1, y1, x2, y2 in filter(None, map(_read_box, text.split('\n'))):
        cv2.rectangle(drawn, (round(x1), round(y1)), (round(x2), round(y2)), BOX_COLOR, width)
    if corner is not None:
        cv2.circle(drawn, corner, 2 * width, BOX_COLOR, -1)
    return drawn


def _frame(page: str) -> str:
    """A page within the page, as tall as its content says."""
    style = 'width:100%;height:60vh;border:0'
    return f'<iframe title="Result" srcdoc="{html.escape(page)}" style="{style}"></iframe>'


def _progress(text: str, done: int = 0, total: int | None = None) -> str:
    """A bar with its text; one that only says that something happens without a total."""
    share = f' value="{done}" max="{total}"' if total else ''
    return f'<label role="status">{html.escape(text)}<progress{share}></progress></label>'


def _report(summary: Summary) -> str:
    """What was done, and what failed."""
    text = f'{summary.done} of {summary.inputs} done in {summary.wall_seconds:.1f} s'
    failed = html.escape(_failures(summary)) if summary.failed else ''
    return f'<div role="status">{text}<br>{failed}</div>'


def _failures(summary: Summary) -> str:
    return '\n'.join(_plain(failure['error']) for failure in summary.failed)


def _plain(error: object) -> str:
    """A message without the folders of this machine."""
    text = str(error) or type(error).__name__
    return re.sub(r'(?<![\w./])/(?:[^/\s]+/)+', '', text)


def _buttons(busy: bool) -> list[Any]:
    """The states of Run and Cancel."""
    return [gr.Button(interactive=not busy), gr.Button(interactive=busy)]


def _newest(jobs: list[str]) -> Path | None:
    """The visitor's last job; None once it is removed."""
    return next((job for job in map(Path, jobs[-1:]) if job.is_dir()), None)


def _forget(place: Workplace, jobs: list[str]) -> None:
    for job in jobs:
        place.remove(job)
