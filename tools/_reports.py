# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Tables per keypoint and per class of a test run, as files beside its log."""

import csv
import json
from pathlib import Path
from typing import Any


def watch_keypoints(runner: Any) -> Any:
    """Let a test run of keypoints measure each of them; the metric, or None for other tasks."""
    dataset = runner.test_loop.dataloader.dataset
    if 'keypoint_id2name' not in dataset.metainfo:
        return None
    from sapiens_pose.evaluation import KeypointErrorMetric, annotated_people

    people = annotated_people(dataset, runner.cfg.test_dataloader.dataset)
    metric = KeypointErrorMetric(people, detected=bool(getattr(dataset, 'bbox_file', None)))
    metric.dataset_meta = dataset.metainfo
    runner.test_loop.evaluator.metrics.append(metric)
    return metric


def write_reports(runner: Any) -> None:
    """Write ``<name>.csv`` and ``<name>.json`` for every table in ``reports`` of the run's metrics."""
    from mmengine.dist import is_main_process  # only now, so that --help answers at once

    if not is_main_process():
        return
    for metric in runner.test_loop.evaluator.metrics:
        for name, rows in getattr(metric, 'reports', {}).items():
            path = Path(runner.log_dir) / f'{name}.csv'
            write_csv(path, rows)
            path.with_suffix('.json').write_text(json.dumps(rows, indent=1), encoding='utf-8')
            runner.logger.info(f'table of {name}: {path} and {name}.json')


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows of equal keys; None is an empty cell."""
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
