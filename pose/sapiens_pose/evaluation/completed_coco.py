# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""COCO's keypoint evaluation for files that lack some of COCO's keys."""

from mmpose.evaluation.metrics import CocoMetric

from sapiens_pose.registry import METRICS


@METRICS.register_module()
class CompletedCocoMetric(CocoMetric):
    """mmpose's ``CocoMetric``, whose files may lack what its readers do not need.

    Without ``iscrowd`` a person is no crowd; without ``area`` it is 0.53 of the box, mmpose's estimate; without
    ``categories`` they are those of the annotations, and without ``category_id`` there is one.
    """

    def _do_python_keypoint_eval(self, outfile_prefix: str) -> list[tuple[str, float]]:
        """Evaluate the dumped predictions."""
        categories = set()
        for annotation in self.coco.anns.values():
            categories.add(annotation.setdefault('category_id', 1))
            _, _, width, height = annotation.get('bbox', (0, 0, 0, 0))
            annotation.setdefault('iscrowd', 0)
            annotation.setdefault('area', 0.53 * width * height)
        if 'categories' not in self.coco.dataset:
            self.coco.dataset['categories'] = [{'id': one} for one in sorted(categories)]
            self.coco.createIndex()
        return super()._do_python_keypoint_eval(outfile_prefix)
