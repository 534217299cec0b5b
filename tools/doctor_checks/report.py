# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What a check returns, running all of them, and the two forms of the report."""

import json
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import NamedTuple


class Status(Enum):
    """How a check ended."""

    OK = 'ok'
    WARNING = 'warning'  # works, but a named feature does not, or a limit is near
    ERROR = 'error'  # training or inference would fail
    SKIPPED = 'skipped'  # does not apply here


class Finding(NamedTuple):
    """Result of one check.

    Attributes:
        name: What was looked at.
        status: How it ended.
        found: What is there.
        fix: What to do about it; empty when nothing is.
    """

    name: str
    status: Status
    found: str
    fix: str = ''


Check = Callable[[], Iterable[Finding]]


def run_checks(checks: Iterable[Check]) -> Iterator[Finding]:
    """Findings of all checks, in order. A check that fails itself is a finding, not the end."""
    for check in checks:
        try:
            yield from check()
        # A broken environment breaks in ways nobody foresaw, and the other checks still matter.
        except Exception as error:
            name = check.__name__.removeprefix('check_').replace('_', ' ')
            yield Finding(
                name,
                Status.ERROR,
                f'the check itself failed: {type(error).__name__}: {error}',
                'reinstall with "bash tools/install.sh"; if this stays, report it with this line',
            )


def exit_code(findings: Iterable[Finding]) -> int:
    """0 when nothing would fail, 1 when an error was found."""
    return int(any(finding.status is Status.ERROR for finding in findings))


def to_text(findings: Iterable[Finding]) -> str:
    """The report for people: one line per finding, fixes below."""
    lines = []
    for finding in findings:
        lines.append(f'{finding.status.value:8} {finding.name}: {finding.found}')
        if finding.fix:
            lines.append(f'{"":8} -> {finding.fix}')
    return '\n'.join(lines)


def to_json(findings: Iterable[Finding]) -> str:
    """The report for scripts: a list of objects with name, status, found and fix."""
    items = [{**finding._asdict(), 'status': finding.status.value} for finding in findings]
    return json.dumps(items, indent=2)
