# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What a finished job shows: one page per photo and per video."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from sapiens_inference.outputs.exports.clouds import write_cloud
from sapiens_inference.outputs.exports.run_folder import Record, RunFolder
from sapiens_inference.tasks import TASKS
from sapiens_inference.web.viewer import photo_page, video_page

ALL_TASKS = 'all tasks'
"""Title of the film that shows every task."""


class JobResults:
    """The results of a job.

    Args:
        job: Its folder, with ``inputs`` and ``results``.
        address: Where browsers find a file of the job, before its path.

    Attributes:
        names: Photos, then videos.
    """

    def __init__(self, job: str | Path, address: str) -> None:
        self.job, self.address = Path(job), address
        self.run = RunFolder(self.job / 'results', self.job / 'inputs')
        photos = takewhile(lambda record: record.video is None, self.run.records(pixels=False))
        self._photos = {record.stem: record for record in photos}
        self.names = [*self._photos, *self.run.films]

    def page(self, name: str) -> str:
        """The HTML page of a photo or video."""
        if name in self._photos:
            return photo_page(self._photos[name])
        # The film of all tasks comes first.
        films = sorted(self.run.films[name].items(), key=lambda film: film[0] != 'sheet')
        titles = {**{task.name: task.title for task in TASKS.values()}, 'sheet': ALL_TASKS}
        addresses = {titles[task]: f'{self.address}{path}' for task, path in films}
        return video_page(addresses, self._frames(name))

    def has_cloud(self, name: str) -> bool:
        """Whether there is a point cloud: of photos with depth or a pointmap."""
        tasks = ('pointmap', 'depth') if name in self._photos else ()
        return any(self._photos[name].path(task) is not None for task in tasks)

    def cloud(self, name: str) -> Path | None:
        """The point cloud of a photo, made now; None for photos without depth and for videos."""
        if name not in self._photos:
            return None
        return write_cloud(self._photos[name], self.job / f'{name.replace("/", "_")}.glb')

    def _frames(self, name: str) -> list[Record]:
        """Frames of a video in which people were looked for, without their pictures."""
        if not (self.run.folder / 'pose' / f'{name}.json').is_file():
            return []
        return [record for record in self.run.records(pixels=False) if record.video == name]
