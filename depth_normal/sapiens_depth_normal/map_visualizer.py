# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The visualizer of maps for MMSegmentation's own tools."""

import mmcv
import numpy as np
from mmengine.dist import master_only
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from sapiens_common.visualization import sheet
from sapiens_common.visualization.samples import sample_pictures
from sapiens_depth_normal.registry import VISUALIZERS


@VISUALIZERS.register_module()
class MapVisualizer(SegLocalVisualizer):
    """Photo, targets and predictions side by side, for ``browse_dataset.py``, ``MMSegInferencer`` and the like.

    mmseg's own draws labels and depth alone. Arguments are mmseg's.
    """

    @master_only
    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: SegDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        step: int = 0,
        with_labels: bool | None = True,
    ) -> None:
        """Draw a sample beside its RGB image uint8 (H, W, 3); arguments as mmseg's."""
        photo = np.ascontiguousarray(image[..., ::-1], np.uint8)
        pictures = [('photo', photo)]
        for kind, wanted in (('gt', draw_gt), ('pred', draw_pred)):
            if wanted and data_sample is not None:
                found = sample_pictures(photo, data_sample, self.dataset_meta or {}, kind)
                both = draw_gt and draw_pred
                pictures += [(f'{title}, {kind}' if both else title, p) for title, p in found]
        drawn = sheet(pictures)[..., ::-1]
        self.set_image(drawn)
        if show:
            self.show(drawn, win_name=name, wait_time=wait_time)
        if out_file is None:
            self.add_image(name, drawn, step)
        else:
            mmcv.imwrite(drawn[..., ::-1], out_file)
