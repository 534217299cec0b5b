# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import io

from sapiens_common import progress
from sapiens_common.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines_of(file):
    return [line for line in file.getvalue().split('\n') if line.strip()]


def test_a_log_gets_a_line_every_few_seconds(monkeypatch):
    log, clock = io.StringIO(), [0.0]
    with Progress(total=80, desc='render', unit='img', file=log) as bar:
        bar._time = lambda: clock[0]
        bar.start_t = bar.last_print_t = 0.0
        for _ in range(80):
            clock[0] += 0.25  # twenty seconds in all
            bar.update()
        seen = lines_of(log)
    assert '\r' not in log.getvalue()
    assert seen[0].startswith('render: 0/80') and len(seen) == 1 + 20 // progress.LOG_SECONDS
    assert seen[1].startswith('render: 20/80 [00:05<00:15') and '80/80' in lines_of(log)[-1]


def test_iterating_and_terminals():
    log, screen = io.StringIO(), Terminal()
    assert list(Progress(range(1000), file=log)) == list(range(1000))
    assert len(lines_of(log)) == 2 and lines_of(log)[-1].startswith('progress: 1000/1000')
    list(Progress(range(3), file=screen, mininterval=0))
    assert screen.getvalue().count('\r') >= 3 and '3/3' in screen.getvalue()
