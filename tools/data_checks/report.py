# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What an audit of a data set returns; each task package audits its own kinds of data."""

from typing import NamedTuple


class DataAudit(NamedTuple):
    """Result of looking at every annotation of one data set.

    Attributes:
        report: Text for people: counts, shares, suggestions.
        problems: What would fail or mislead training, one entry per file or item, each naming it.
    """

    report: str
    problems: list[str]
