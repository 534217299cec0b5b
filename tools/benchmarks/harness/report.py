# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What a benchmark found: JSON for machines, Markdown for people."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.harness.measure import Timing

FORMAT = 1
"""Version of the JSON layout."""


@dataclass
class Case:
    """One way of doing a job.

    Attributes:
        name: What the way is.
        dtype: Precision of the computation.
        seconds: Per call.
        per_item: Seconds per item.
        speedup: How many times faster than the comparison's baseline; None for the baseline itself.
        peak_bytes: Memory beyond what was held before, None if not measured.
        flops_per_second: None without an operation count.
        peak_share: ``flops_per_second`` over that of a large matrix product in the same dtype, timed
            in the same rounds.
        difference: Largest difference from the baseline's result, in the unit of the comparison; None
            if not compared.
        tolerance: Largest ``difference`` that counts as the same result.
    """

    name: str
    dtype: str
    seconds: Timing
    per_item: float
    speedup: float | None = None
    peak_bytes: int | None = None
    flops_per_second: float | None = None
    peak_share: float | None = None
    difference: float | None = None
    tolerance: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether the result is the baseline's; a difference that is not a number is not."""
        if self.difference is None or self.tolerance is None:
            return True
        return self.difference <= self.tolerance


@dataclass
class Comparison:
    """Ways of doing one job, timed in turns.

    Attributes:
        job: What is done.
        baseline: Name of the case the others are held against, None if there is none.
        unit: What an item is.
        items: Items per call.
        flops: Operations of a call, None if not counted.
        cases: The ways.
    """

    job: str
    baseline: str | None
    unit: str
    items: int
    flops: int | None = None
    cases: list[Case] = field(default_factory=list)

    def __getitem__(self, name: str) -> Case:
        """The case of that name."""
        return next(case for case in self.cases if case.name == name)

    def disagreements(self) -> list[str]:
        """Cases whose result is not the baseline's."""
        return [
            f'{self.job}: {case.name} differs from {self.baseline} by {case.difference:g}, '
            f'more than {case.tolerance:g}'
            for case in self.cases
            if not case.agrees
        ]


@dataclass
class Target:
    """A figure the project wants.

    Attributes:
        what: In words, with unit.
        wanted: Bound.
        measured: What was found.
        at_most: Whether the bound is an upper one.
    """

    what: str
    wanted: float
    measured: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure keeps the bound."""
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted

    @property
    def ratio(self) -> float:
        """How far it is on the good side (above 1) or short (below 1)."""
        good, other = self.measured, self.wanted
        if self.at_most:
            good, other = other, good
        return good / other if other else float('inf')


@dataclass
class Stage:
    """Everything measured of one stage.

    Attributes:
        name: As on the command line.
        about: One sentence.
        comparisons: Timings.
        targets: Wanted figures.
        facts: Other numbers, by name with unit.
        notes: What a reader has to know.
        seconds: How long the stage took.
    """

    name: str
    about: str
    comparisons: list[Comparison] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    facts: dict[str, float | int | str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def disagreements(self) -> list[str]:
        """Results that are not the baseline's."""
        return [line for comparison in self.comparisons for line in comparison.disagreements()]


@dataclass
class Report:
    """A run of the benchmark."""

    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    date: str
    load: dict[str, float | None] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        content = {'format': FORMAT, **asdict(self)}
        for stage, entry in zip(self.stages, content['stages'], strict=True):
            for target, target_entry in zip(stage.targets, entry['targets'], strict=True):
                target_entry.update(met=target.met, ratio=target.ratio)
        return content


def markdown(stage: Stage) -> str:
    """A stage as Markdown tables."""
    return '\n'.join(_lines(stage))


def _lines(stage: Stage) -> Iterator[str]:
    yield f'## {stage.name}\n\n{stage.about}\n'
    for comparison in stage.comparisons:
        yield from _table(comparison)
    if stage.facts:
        yield from (f'- {name}: {_figure(value)}' for name, value in stage.facts.items())
        yield ''
    if stage.targets:
        yield '| target | wanted | measured | met |\n|---|---|---|---|'
        for target in stage.targets:
            sign = '<=' if target.at_most else '>='
            met = 'yes' if target.met else 'NO'
            yield (
                f'| {target.what} | {sign} {_figure(target.wanted)} | {_figure(target.measured)} '
                f'| {met} ({target.ratio:.2g} x) |'
            )
        yield ''
    yield from (f'{note}\n' for note in stage.notes)


def _table(comparison: Comparison) -> Iterator[str]:
    counted = f', {comparison.flops / 1e9:.4g} GFLOP per call' if comparison.flops else ''
    yield f'**{comparison.job}**: {comparison.items} {comparison.unit} per call{counted}\n'
    columns = ['way', 'dtype', 'median', 'IQR', 'rounds', f'per {comparison.unit}', 'speed-up']
    columns += ['peak memory', 'GFLOP/s', 'of peak', 'difference']
    yield f'| {" | ".join(columns)} |\n|{"---|" * len(columns)}'
    for case in comparison.cases:
        cells = [
            case.name,
            case.dtype,
            duration(case.seconds.median),
            duration(case.seconds.iqr),
            str(case.seconds.repeats),
            duration(case.per_item),
            _optional(case.speedup, '{:.3g} x'),
            _optional(case.peak_bytes and case.peak_bytes / 2**20, '{:.4g} MiB'),
            _optional(case.flops_per_second and case.flops_per_second / 1e9, '{:.4g}'),
            _optional(case.peak_share and 100 * case.peak_share, '{:.3g} %'),
            _optional(case.difference, '{:.1e}'),
        ]
        yield f'| {" | ".join(cells)} |'
    yield ''


def _optional(value: float | None, form: str) -> str:
    return '' if value is None else form.format(value)


def duration(seconds: float) -> str:
    """Seconds in a readable unit."""
    for limit, factor, unit in ((1e-3, 1e6, 'us'), (1, 1e3, 'ms')):
        if seconds < limit:
            return f'{seconds * factor:.3g} {unit}'
    return f'{seconds:.3g} s'


def _figure(value: float | int | str) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
