# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""COCO average precision of the 308 keypoints and of their groups, with stock COCO tools.

The reference evaluates with a privately patched xtcocotools and returns the figures of the whole only.
Here every group is an ordinary ``keypoints`` evaluation of its points and their sigmas.
"""

import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from sapiens_common.layouts.goliath308 import GROUPS, goliath308_metainfo, group_ids

STATS = ('AP', 'AP50', 'AP75', 'APM', 'APL', 'AR', 'AR50', 'AR75', 'ARM', 'ARL')
HAND = 'hand'
WHOLE = 'whole'
ROWS = (*GROUPS, HAND, WHOLE)


def evaluate_groups(
    ground_truth: dict[str, Any],
    annotated: list[np.ndarray],
    predictions: list[dict[str, Any]],
    predicted: list[np.ndarray],
    sigmas: np.ndarray | None = None,
    use_area: bool = True,
) -> dict[str, dict[str, float]]:
    """AP and AR of every group, of the hands together, and of all points.

    Args:
        ground_truth: COCO dict with ``images``, ``annotations`` and ``categories``.
        annotated: Per annotation the keypoints (308, 3): x, y in pixels, visibility.
        predictions: Dicts with ``image_id``, ``category_id`` and ``score``.
        predicted: Per prediction the keypoints (308, 3): x, y in pixels, score.
        sigmas: (308,) OKS constants; None takes the layout's.
        use_area: Whether annotations carry ``area``; else 0.53 of the box counts, as in mmpose.

    Returns:
        For each of :data:`ROWS`: :data:`STATS` to values, -1 where nothing is annotated. ``hand`` is the mean
        of the two hands.

    Raises:
        ValueError: An annotation lacks the area that is to be used.
    """
    for annotation in ground_truth['annotations']:
        if use_area and 'area' not in annotation:
            raise ValueError(
                f'annotation {annotation.get("id")} lacks the key area; add it, or set use_area=False of '
                'the metric, which takes 0.53 of the box instead'
            )
    sigmas = np.array(goliath308_metainfo()['sigmas'] if sigmas is None else sigmas)
    wanted = {**group_ids(), WHOLE: list(range(len(sigmas)))}
    results = {}
    for name, ids in wanted.items():
        truth = _with_points(ground_truth['annotations'], annotated, ids, keep='bbox')
        # A prediction's box is left out: COCO tools would take its area instead of that of the points.
        found = _with_points(predictions, predicted, ids)
        results[name] = _evaluate(
            {**ground_truth, 'annotations': truth}, found, sigmas[ids], use_area
        )
    results[HAND] = {
        stat: _mean(results['left_hand'][stat], results['right_hand'][stat]) for stat in STATS
    }
    return {row: results[row] for row in ROWS}


def _with_points(
    entries: list[dict], points: list[np.ndarray], ids: list[int], keep: str = ''
) -> list[dict]:
    """Entries with the given points' subset as ``keypoints``, their numbers, and the key to keep."""
    return [
        {
            'iscrowd': 0,
            **{key: value for key, value in entry.items() if key == keep or np.isscalar(value)},
            'keypoints': values[ids].ravel().tolist(),
        }
        for entry, values in zip(entries, points, strict=True)
    ]


def _evaluate(
    truth: dict, found: list[dict], sigmas: np.ndarray, use_area: bool
) -> dict[str, float]:
    """One stock COCO evaluation."""
    if not found:
        return dict.fromkeys(STATS, 0.0)
    with redirect_stdout(io.StringIO()):  # COCO tools print; the metric logs its own table
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), 'keypoints', sigmas, use_area)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(STATS, map(float, evaluation.stats), strict=True))


def _mean(left: float, right: float) -> float:
    """Mean of two figures, of which -1 says that there was nothing to measure."""
    known = [value for value in (left, right) if value >= 0]
    return float(np.mean(known)) if known else -1.0


def format_table(results: dict[str, dict[str, float]]) -> str:
    """The groups' figures in percent, one row each; a dash where nothing is annotated."""
    header = f'{"":<11}' + ''.join(f'{stat:>7}' for stat in STATS)
    lines = [header, '-' * len(header)]
    for row, figures in results.items():
        cells = [figures[stat] for stat in STATS]
        values = ''.join(f'{"-":>7}' if v < 0 else f'{100 * v:>7.1f}' for v in cells)
        lines.append(f'{row.replace("_", " "):<11}{values}')
    return '\n'.join(lines)


def format_paper_row(results: dict[str, dict[str, float]]) -> str:
    """AP and AR in percent as the paper's table of Humans-5K has them."""
    columns = ('body', 'foot', 'face', HAND, WHOLE)
    cells = []
    for column in columns:
        pair = (results[column]['AP'], results[column]['AR'])
        cells.append(' '.join('-' if value < 0 else f'{100 * value:.1f}' for value in pair))
    width = max(11, *(len(cell) for cell in cells))
    header = ' | '.join(f'{name.capitalize() + " AP AR":>{width + 3}}' for name in columns)
    return header + '\n' + ' | '.join(f'{cell:>{width + 3}}' for cell in cells)
