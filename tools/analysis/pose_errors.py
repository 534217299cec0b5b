#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Where keypoints go wrong: ``python tools/analysis/pose_errors.py CONFIG CHECKPOINT --out DIR``.

Runs the test set of a pose config. Writes ``errors.csv`` (per keypoint: count, error in pixels and in units of the box's
longer side, PCK, of visible and of hidden points), ``pck.png`` (share of points within a distance, per group) and
``worst.png`` (the people with the largest mean error).
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from _run_arguments import parse_run

THRESHOLDS = (0.05, 0.1, 0.2)


def make_metric() -> Any:
    """A metric that keeps the predicted keypoints by the id of their annotation."""
    import numpy as np
    from mmengine.evaluator import BaseMetric

    class Keep(BaseMetric):
        default_prefix = 'kept'
        points: dict[int, np.ndarray]

        def process(self, data_batch: Any, data_samples: Any) -> None:
            for sample in data_samples:
                self.results.append((sample['id'], sample['pred_instances']['keypoints'][0]))

        def compute_metrics(self, results: list) -> dict[str, float]:
            self.points = {key: np.asarray(points) for key, points in results}
            return {'people': float(len(results))}

    return Keep()


def flags_of(info: dict[str, Any], count: int) -> Any:
    """COCO's visibility flags (K,): 0 not labelled, 1 hidden, 2 visible."""
    import numpy as np

    raw = info.get('raw_ann_info') or {}
    if len(raw.get('keypoints', ())) == 3 * count:
        return np.reshape(raw['keypoints'], (count, 3))[:, 2]
    if 'goliath_wholebody_kpts' in raw:
        from sapiens_pose.datasets.goliath import read_goliath_keypoints

        return read_goliath_keypoints(raw)[:, 2]
    visible = np.asarray(info['keypoints_visible'])[0]
    return 2 * (visible if visible.ndim == 1 else visible[:, 0])


def collect(dataset: Any, predicted: dict[int, Any]) -> tuple[Any, Any, Any]:
    """Errors in pixels (N, K) with NaN where nothing is labelled, flags (N, K), longer sides (N,)."""
    import numpy as np

    errors, flags, sides = [], [], []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        points = np.asarray(info['keypoints'])[0]
        flag = flags_of(info, len(points))
        error = np.linalg.norm(predicted[info['id']] - points, axis=1)
        x1, y1, x2, y2 = np.asarray(info['bbox'])[0]
        errors.append(np.where(flag > 0, error, np.nan))
        flags.append(flag)
        sides.append(max(x2 - x1, y2 - y1))
    return np.array(errors), np.array(flags), np.array(sides)


def rows_of(names: list[str], errors: Any, flags: Any, sides: Any) -> list[list[Any]]:
    """A row per keypoint for ``errors.csv``."""
    import numpy as np

    shares = errors / sides[:, None]
    rows: list[list[Any]] = []
    for column, name in enumerate(names):
        known = np.isfinite(errors[:, column])
        row: list[Any] = [name, int(known.sum())]
        pixels, relative = errors[known, column], shares[known, column]
        row += [f'{np.mean(pixels):.3f}', f'{np.median(pixels):.3f}'] if known.any() else ['', '']
        row += [f'{np.mean(relative <= t):.4f}' if known.any() else '' for t in THRESHOLDS]
        for flag in (2, 1):
            chosen = shares[known & (flags[:, column] == flag), column]
            row += [len(chosen), f'{chosen.mean():.4f}' if len(chosen) else '']
        rows.append(row)
    return rows


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


def draw_worst(dataset: Any, predicted: dict[int, Any], errors: Any, sides: Any, count: int) -> Any:
    """A sheet of the people with the largest mean error: truth green, prediction red, a line between."""
    import cv2
    import numpy as np

    from sapiens_common.files.images import read_image
    from sapiens_common.visualization import sheet

    known = np.isfinite(errors).any(1)
    means = np.full(len(errors), -1.0)
    means[known] = np.nanmean(errors[known], axis=1) / sides[known]
    pictures = []
    for index in np.argsort(-means)[:count].tolist():
        if means[index] < 0:
            break
        info = dataset.get_data_info(index)
        photo = read_image(info['img_path']).copy()
        truth, found = np.asarray(info['keypoints'])[0], predicted[info['id']]
        thick = max(1, round(sides[index] / 200))
        for (x, y), (u, v), error in zip(truth, found, errors[index], strict=True):
            if np.isfinite(error):
                a, b = (round(float(x)), round(float(y))), (round(float(u)), round(float(v)))
                cv2.line(photo, a, b, (0, 200, 255), thick)
                cv2.circle(photo, a, 2 * thick, (0, 220, 60), -1)
                cv2.circle(photo, b, 2 * thick, (0, 0, 255), -1)
        x1, y1, x2, y2 = np.asarray(info['bbox'])[0]
        margin = 0.15 * sides[index]
        left, top = int(max(0, x1 - margin)), int(max(0, y1 - margin))
        crop = photo[top : int(y2 + margin), left : int(x2 + margin)]
        scale = 384 / max(crop.shape[:2])
        crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pictures.append((f'{Path(info["img_path"]).name}, {means[index]:.3f}', crop))
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

    launch.set_checkpoint(config, args.checkpoint)
    runner = launch.build_runner(config)
    dataset = runner.test_loop.dataloader.dataset
    metric = make_metric()
    runner.test_loop.evaluator.metrics = [metric]
    metric.dataset_meta = dataset.metainfo
    runner.test()
    names = list(dataset.metainfo['keypoint_id2name'].values())
    errors, flags, sides = collect(dataset, metric.points)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    header = ['keypoint', 'count', 'mean_px', 'median_px', *(f'pck@{t}' for t in THRESHOLDS)]
    header += ['visible', 'visible_error', 'hidden', 'hidden_error']
    with (out / 'errors.csv').open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows_of(names, errors, flags, sides))
    draw_pck(groups_of(names), errors, sides, out / 'pck.png')
    picture = draw_worst(dataset, metric.points, errors, sides, args.worst)
    if picture is not None:
        write_image(out / 'worst.png', picture)
    shares = errors / sides[:, None]
    for group, ids in groups_of(names).items():
        values = shares[:, ids][np.isfinite(shares[:, ids])]
        if len(values):
            text = ', '.join(f'PCK@{t} {(values <= t).mean():.3f}' for t in THRESHOLDS)
            print(f'{group}: {len(values)} points, {text}')
    print(f'wrote {out}/errors.csv, pck.png and worst.png')


if __name__ == '__main__':
    _bootstrap.run(main)
