# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The figure of a curated set: how many people its images show."""

from collections.abc import Mapping
from pathlib import Path

LAST = 10  # this many people and more share a bar


def draw_people_histogram(people: Mapping[int, int], path: str | Path) -> None:
    """Write a histogram of people per image (Sapiens paper, figure 2).

    Args:
        people: Number of people -> number of images.
        path: Picture to write.
    """
    from matplotlib.figure import Figure  # slow to import; no global state, unlike pyplot

    counts = [people.get(count, 0) for count in range(1, LAST)]
    counts.append(sum(value for count, value in people.items() if count >= LAST))
    labels = [str(count) for count in range(1, LAST)] + [f'{LAST}+']
    if people.get(0):
        counts.insert(0, people[0])
        labels.insert(0, '0')
    total = max(sum(counts), 1)
    figure = Figure(figsize=(6, 3.2), layout='constrained')
    axes = figure.add_subplot()
    bars = axes.bar(labels, counts, color='#4878a8')
    axes.bar_label(bars, [f'{100 * count / total:.1f} %' for count in counts], fontsize=8)
    axes.set(xlabel='people in the image', ylabel='images', title=f'{sum(counts)} images')
    axes.margins(y=0.12)
    figure.savefig(path, dpi=120)
