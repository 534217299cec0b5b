# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Inference of a multitask model: every task's own results and files from one encoder pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sapiens_common.visualization import sheet
from sapiens_common.visualization.canvas import Entries
from sapiens_inference.engine.dense import DenseInferencer
from sapiens_inference.engine.task import Task
from sapiens_inference.items import Item
from sapiens_inference.outputs.results import Result, Source
from sapiens_inference.tasks import TASKS
from sapiens_multitask.models import MultitaskModel


@dataclass(repr=False, eq=False)
class MultitaskResult(Result):
    """The results of all tasks for one image.

    ``result['pose']`` is a :class:`sapiens_pose.apis.PoseResult` and so on, as the task's own inferencer
    returns it.

    Attributes:
        results: Result by task.
    """

    results: dict[str, Result]
    task: ClassVar[str] = 'multitask'

    def __getitem__(self, task: str) -> Any:
        return self.results[task]

    @property
    def nbytes(self) -> int:
        """Bytes of all tasks' arrays."""
        return sum(result.nbytes for result in self.results.values())

    def by_task(self) -> dict[str, Result]:
        """Each task's result by its name, and this one."""
        return {**self.results, self.task: self}

    def person_mask(self) -> np.ndarray | None:
        """Bool (H, W), True on people, of models with a segmentation."""
        masks = (result.person_mask() for result in self.results.values())
        return next((mask for mask in masks if mask is not None), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content of all tasks."""
        return {
            'task': self.task,
            'ok': self.ok,
            'error': self.error,
            'results': {name: result.to_dict() for name, result in self.results.items()},
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> MultitaskResult:
        """The result that ``to_dict`` described.

        Raises:
            ValueError: The content is of another task.
        """
        cls.check_task(content)
        results: dict[str, Result] = {}
        for name, entry in content['results'].items():
            results[name] = TASKS[name].load().result_type.from_dict(entry)
        source = next(iter(results.values())).source
        return cls(source, results, error=content['error'])


class MultitaskInferencer(DenseInferencer):
    """All tasks of a ``sapiens_multitask.MultitaskModel`` from one encoder pass per image or person.

    The whole image is the input, keypoints included, unless boxes are given. Results, files and pictures
    are those of the tasks' own inferencers, in the tasks' own folders; to ask one task alone, name the same
    model in its inferencer: ``PoseInferencer('sapiens_tiny/multitask_synthetic')``.

    Args:
        *args: As :class:`sapiens_inference.Inferencer`: ``model``, ``weights``, ``device``, ``dtype``, ``compile``.
        **options: As :class:`sapiens_inference.Inferencer`: ``detector``, ``workers``; and the tasks'
            own, such as ``keypoints`` and ``convention``, but for ``flip_test``: the mirrored image would need an
            encoder pass of its own.
    """

    task = 'multitask'
    result_type = MultitaskResult
    gives_mask = True

    def setup(self, **options: Any) -> None:
        """Hand the options to the tasks that take them.

        Raises:
            ValueError: This is not a multitask model, none of its tasks takes an option, or ``flip_test``
                is asked for.
        """
        super().setup()
        self.tasks: dict[str, Any] = {}
        model: Any = self.loaded.model
        if not isinstance(model, MultitaskModel):
            raise ValueError(
                f'{self.loaded.name} is a {type(model).__name__}, not a multitask model; take the '
                "task's own inferencer"
            )
        if options.get('flip_test'):
            raise ValueError(
                'flip_test: the tasks share one encoder pass over the image, and the mirrored image needs another; '
                f'take the inferencer of pose alone: PoseInferencer({self.loaded.name!r}, flip_test=True)'
            )
        unknown = set(options)
        for name in sorted(model.tasks, key=list(TASKS).index):
            kind = TASKS[name].load()
            taken = inspect.signature(kind.setup).parameters.keys() & options.keys()
            unknown -= taken
            chosen = {key: options[key] for key in taken}
            self.tasks[name] = kind(self.loaded.part(name), workers=self.workers, **chosen)
        if unknown:
            raise ValueError(
                f'{", ".join(sorted(unknown))}: no option of {", ".join(self.tasks)}, the tasks of '
                f'{self.loaded.name}'
            )
        self.output = '; '.join(part.output for part in self.tasks.values())

    def default_detector(self) -> Any:
        """The one of the task that needs boxes."""
        needy = [part for part in self.tasks.values() if part.needs_boxes]
        return needy[0].default_detector() if needy else super().default_detector()

    def describe(self) -> dict[str, Any]:
        """The model, and what its tasks add, for ``summary.json``."""
        content: dict[str, Any] = {}
        for part in self.tasks.values():
            content |= part.describe()
        return content | super().describe()

    def parts(self) -> list[Task]:
        """The tasks' own inferencers."""
        return list(self.tasks.values())

    def extract(self, sample: Any) -> dict[str, Any]:
        """Each task's output of a predicted data sample."""
        return {name: part.extract(sample) for name, part in self.tasks.items()}

    def postprocess(self, item: Item, views: list, outputs: list[Any]) -> MultitaskResult:
        """Every task's result; the mask of the segmentation is that of the others, if none was given."""
        results: dict[str, Result] = {}
        for name, part in self.tasks.items():
            found = part.postprocess(item, views, [output[name] for output in outputs])
            results[name] = found
            if item.mask is None:
                item.mask = found.person_mask()
        return MultitaskResult(Source.of(item), results)

    def empty(self, source: Source) -> MultitaskResult:
        """Every task's empty result."""
        return MultitaskResult(
            source, {name: part.empty(source) for name, part in self.tasks.items()}
        )

    def finishers(self, smooth: bool) -> list[Callable[[Item], None]]:
        """Those of the tasks."""
        return [step for part in self.tasks.values() for step in part.finishers(smooth)]

    def visualize(self, item: Item) -> np.ndarray:
        """Photo and all tasks on one sheet."""
        tiles = [(part.title, part.visualize(item)) for part in self.tasks.values()]
        return sheet([('photo', item.pixels), *tiles], entries=self.legend(item))

    def legend(self, item: Item | None = None) -> Entries:
        """Lines of all tasks."""
        return [line for part in self.tasks.values() for line in part.legend(item)]
