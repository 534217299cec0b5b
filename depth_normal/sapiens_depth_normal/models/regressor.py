# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The estimator of all per-pixel regressions: mmseg's encoder-decoder with a map as its result."""

from mmengine.structures import BaseDataElement
from mmseg.models.segmentors import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import Tensor

from sapiens_depth_normal.registry import MODELS


@MODELS.register_module()
class DenseRegressor(EncoderDecoder):
    """Encoder and a head of this package.

    Predictions are float32 maps at the size of the original image, in the data samples as
    ``pred_<target>_map`` (T, H, W): ``depth`` (1) raw; ``normal`` (3) unit vectors (X right, Y up, Z to the
    camera); ``albedo`` (3) sRGB of 0..1, red first; ``point`` (3) metres (x right, y down, z forward);
    ``matting`` (4) red, green, blue of 0..1 multiplied by alpha, then alpha. Where an image was padded, its
    metadata ``padding_size`` (left, right, top, bottom) says what is cut off first. Values off the
    person mean nothing, apart from matting.
    """

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Raw maps (B, T, H, W) of network inputs (B, 3, H, W), whatever the original sizes are."""
        return self.encode_decode(inputs, batch_img_metas)

    def postprocess_result(
        self, seg_logits: Tensor, data_samples: list[BaseDataElement] | None = None
    ) -> list[BaseDataElement]:
        """Store each image's result in its sample, see the head's ``store``."""
        count = len(seg_logits[0]) if isinstance(seg_logits, tuple) else len(seg_logits)
        samples = data_samples or [SegDataSample() for _ in range(count)]
        self.decode_head.store(seg_logits, samples)
        return samples
