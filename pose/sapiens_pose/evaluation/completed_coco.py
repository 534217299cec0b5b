# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""COCO's keypoint evaluation for files that lack some of COCO's keys."""

from mmpose.evaluation.metrics import CocoMetric

from sapiens_pose.registry import METRICS


@METRICS.register_module()
class CompletedCocoMetric(CocoMetric):
    """mmpose's ``CocoMetric``, whose annotations may lack ``iscrowd`` and ``area``, as its readers allow.

    Without ``iscrowd`` a person is no crowd; without ``area`` it is 0.53 of the box, mmpose's estimate.
    """

    def _do_python_keypoint_eval(self, outfile_prefix: str) -> list[tuple[str, float]]:
        """Evaluate the dumped predictions."""
        for annotation in self.coco.anns.values():
            _, _, width, height = annotation.get('bbox', (0, 0, 0, 0))
            annotation.setdefault('iscrowd', 0)
            annotation.setdefault('area', 0.53 * width * height)
        return super()._do_python_keypoint_eval(outfile_prefix)
