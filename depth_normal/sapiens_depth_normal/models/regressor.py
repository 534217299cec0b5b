# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The estimator of depth or normals: mmseg's encoder-decoder with a regressed map as its result."""

from mmengine.structures import BaseDataElement, PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.models.utils import resize
from mmseg.structures import SegDataSample
from torch import Tensor

from sapiens_depth_normal.registry import MODELS


@MODELS.register_module()
class DenseRegressor(EncoderDecoder):
    """Encoder and :class:`DenseHead`; the whole image, resized without keeping its aspect, is the input.

    Predictions are float32 maps at the size of the original image, in the data samples as
    ``pred_depth_map`` (1, H, W), raw, or ``pred_normal_map`` (3, H, W), unit vectors (X right, Y up, Z to
    the camera). Values off the person mean nothing.
    """

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Raw maps (B, T, H, W) of network inputs (B, 3, H, W), whatever the original sizes are."""
        return self.encode_decode(inputs, batch_img_metas)

    def postprocess_result(
        self, seg_logits: Tensor, data_samples: list[BaseDataElement] | None = None
    ) -> list[BaseDataElement]:
        """Resize raw maps (B, T, H, W) to each image's ``ori_shape`` and store them in its sample."""
        samples = data_samples or [SegDataSample() for _ in seg_logits]
        for maps, sample in zip(seg_logits, samples, strict=True):
            size = sample.metainfo.get('ori_shape', maps.shape[1:])[:2]
            maps = resize(
                maps[None], size, mode='bilinear', align_corners=self.align_corners, warning=False
            )[0]
            name = f'pred_{self.decode_head.target}_map'
            sample.set_data({name: PixelData(data=self.decode_head.finalize(maps))})
        return samples
