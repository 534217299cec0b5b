#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Where keypoints go wrong: ``python tools/analysis/pose_errors.py CONFIG CHECKPOINT --out DIR``.

Runs the test set of a pose config. Writes ``errors.csv`` (per keypoint: count, error in pixels and in units of the box's
longer side, PCK, of visible and of hidden points), ``pck.png`` (share of points within a distance, per group) and
``worst.png`` (the people with the largest mean error).
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from _reports import watch_keypoints, write_csv
from _run_arguments import parse_run


def draw_pck(groups: dict[str, list[int]], errors: Any, sides: Any, out: Path) -> None:
    """Write the curves."""
    import matplotlib
    import numpy as np

    matplotlib.use('Agg')
    from matplotlib import pyplot

    distances = np.linspace(0, 0.25, 101)
    figure, panel = pyplot.subplots(figsize=(7, 4.5), layout='constrained')
    for name, ids in groups.items():
        shares = (errors / sides[:, None])[:, ids]
        shares = shares[np.isfinite(shares)]
        if len(shares):
            panel.plot(distances, [(shares <= d).mean() for d in distances], label=name)
    panel.set(
        xlabel="distance, in units of the box's longer side", ylabel='share of points', ylim=(0, 1)
    )
    panel.grid(alpha=0.3)
    panel.legend()
    figure.savefig(out, dpi=120)
    pyplot.close(figure)


def draw_worst(people: Any, found: Any, errors: Any, count: int) -> Any:
    """A sheet of the people with the largest mean error: truth green, prediction red, a line between."""
    import cv2
    import numpy as np

    from sapiens_common.files.images import read_image
    from sapiens_common.visualization import sheet

    known = np.isfinite(errors).any(1)
    means = np.full(len(errors), -1.0)
    means[known] = np.nanmean(errors[known], axis=1) / people.sides[known]
    pictures = []
    for index in np.argsort(-means)[:count].tolist():
        if means[index] < 0:
            break
        photo = read_image(people.paths[index]).copy()
        side = people.sides[index]
        thick = max(1, round(side / 200))
        for (x, y), (u, v), error in zip(
            people.points[index], found[index], errors[index], strict=True
        ):
            if np.isfinite(error):
                a, b = (round(float(x)), round(float(y))), (round(float(u)), round(float(v)))
                cv2.line(photo, a, b, (0, 200, 255), thick)
                cv2.circle(photo, a, 2 * thick, (0, 220, 60), -1)
                cv2.circle(photo, b, 2 * thick, (0, 0, 255), -1)
        x1, y1, x2, y2 = people.boxes[index]
        margin = 0.15 * side
        left, top = int(max(0, x1 - margin)), int(max(0, y1 - margin))
        crop = photo[top : int(y2 + margin), left : int(x2 + margin)]
        scale = 384 / max(crop.shape[:2])
        crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pictures.append((f'{Path(people.paths[index]).name}, {means[index]:.3f}', crop))
    return sheet(pictures) if pictures else None


def groups_of(names: list[str]) -> dict[str, list[int]]:
    """Groups of the 308 layout, or all points."""
    from sapiens_common.layouts.goliath308 import group_ids
    from sapiens_pose.layouts import keypoint_names

    if names == keypoint_names('goliath'):
        return {group: list(ids) for group, ids in group_ids().items()}
    return {'all': list(range(len(names)))}


def main() -> None:
    """Evaluate and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', default='pose_errors', metavar='DIR')
    parser.add_argument('--worst', type=int, default=12, help='people on worst.png')
    args, config = parse_run(parser)
    import numpy as np
    from runs import launch

    from sapiens_inference.outputs.writers import write_image
    from sapiens_pose.evaluation.keypoint_errors import THRESHOLDS, labelled_errors

    launch.set_checkpoint(config, args.checkpoint)
    runner = launch.build_runner(config)
    metric = watch_keypoints(runner)
    if metric is None:
        sys.exit(f'error: {args.config} does not test keypoints')
    runner.test_loop.evaluator.metrics = [metric]
    runner.test()
    people, out = metric.people, Path(args.out)
    errors = labelled_errors(people, metric.found)
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / 'errors.csv', metric.reports['keypoints'])
    draw_pck(groups_of(people.names), errors, people.sides, out / 'pck.png')
    picture = draw_worst(people, metric.found, errors, args.worst)
    if picture is not None:
        write_image(out / 'worst.png', picture)
    shares = errors / people.sides[:, None]
    for group, ids in groups_of(people.names).items():
        values = shares[:, ids][np.isfinite(shares[:, ids])]
        if len(values):
            text = ', '.join(f'PCK@{t} {(values <= t).mean():.3f}' for t in THRESHOLDS)
            print(f'{group}: {len(values)} points, {text}')
    print(f'wrote {out}/errors.csv, pck.png and worst.png')


if __name__ == '__main__':
    _bootstrap.run(main)
