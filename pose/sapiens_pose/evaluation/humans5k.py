# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The metric of the 308-keypoint task."""

from typing import Any

import numpy as np
from mmengine.fileio import load
from mmengine.logging import MMLogger
from mmpose.evaluation.metrics import CocoMetric

from sapiens_common.layouts.goliath308 import GROUPS
from sapiens_pose.datasets.goliath import (
    NUM_KEYPOINTS,
    find_goliath_problem,
    read_goliath_keypoints,
)
from sapiens_pose.registry import METRICS

from .group_eval import STATS, WHOLE, evaluate_groups, format_paper_row, format_table


@METRICS.register_module()
class Humans5KMetric(CocoMetric):
    """AP and AR of body, feet, face, hands and the whole of 308 keypoints.

    Scoring, OKS suppression and the dumped COCO JSON are mmpose's ``CocoMetric``, with its arguments and
    defaults, which are the reference's. The ground truth may have any form that
    ``GoliathDataset`` reads. Returned are ``goliath/AP``, ``AP50``, ``AP75``, ``APM``, ``APL``, ``AR``, ... of the
    whole and ``goliath/<group>_AP``, ... of each group; a table goes to the log, and stays as ``reports['groups']``.
    """

    default_prefix = 'goliath'

    def gives(self, figure: str) -> bool:
        """Whether ``figure`` (a key without prefix) is among the results."""
        group, _, stat = figure.rpartition('_')
        return stat in STATS and (not group or group in GROUPS)

    def _do_python_keypoint_eval(self, outfile_prefix: str) -> list[tuple[str, float]]:
        """Evaluate the dumped predictions group by group."""
        predictions = load(f'{outfile_prefix}.keypoints.json')
        truth = self.coco.dataset
        results = evaluate_groups(
            truth,
            [_annotated_points(annotation) for annotation in truth['annotations']],
            predictions,
            [read_goliath_keypoints(prediction) for prediction in predictions],
            self.dataset_meta['sigmas'],
            self.use_area,
        )
        MMLogger.get_current_instance().info(
            f'308 keypoints, percent:\n{format_table(results)}\n\n{format_paper_row(results)}'
        )
        self.reports = {
            'groups': [{'group': group, **figures} for group, figures in results.items()]
        }
        whole = [(stat, results[WHOLE][stat]) for stat in STATS]
        groups = [
            (f'{group}_{stat}', figures[stat])
            for group, figures in results.items()
            if group != WHOLE
            for stat in STATS
        ]
        return whole + groups


def _annotated_points(annotation: dict[str, Any]) -> np.ndarray:
    """Keypoints (308, 3) of an annotation; of one that the data set leaves out by rule it may have none."""
    left_out = annotation.get('iscrowd') or annotation.get('num_keypoints') == 0
    if left_out and find_goliath_problem(annotation):
        return np.zeros((NUM_KEYPOINTS, 3), np.float32)
    return read_goliath_keypoints(annotation)
