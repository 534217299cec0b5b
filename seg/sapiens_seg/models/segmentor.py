# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""MMSegmentation's encoder-decoder with lean prediction and a start from another label set."""

from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import Tensor

from sapiens_common.checkpoint import load_state_dict_strict, read_checkpoint
from sapiens_seg.registry import MODELS

from .labels import labels_at_size

_CLASSIFIER = 'decode_head.conv_seg.'


@MODELS.register_module()
class BodyPartSegmentor(EncoderDecoder):
    """``EncoderDecoder`` that predicts labels without logits at the size of the original image.

    ``predict`` returns the same ``pred_sem_seg`` as MMSegmentation's, as uint8, and no
    ``seg_logits``. Training, keys and all else are upstream's.

    Args:
        *args: Of ``EncoderDecoder``.
        labels_only: False keeps upstream's prediction with ``seg_logits``, (C, H, W) floats of the
            original size per image; test-time augmentation needs them.
        init_from: Task checkpoint to start from, whose classifier is left out if it has another number
            of classes (which is logged); everything else must fit. None starts from the backbone's
            ``init_cfg`` alone.
        **kwargs: Of ``EncoderDecoder``.
    """

    def __init__(
        self,
        *args: Any,
        labels_only: bool = True,
        init_from: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.labels_only = labels_only
        self.init_from = init_from

    def init_weights(self) -> None:
        """Initialise as upstream, then load ``init_from`` over it.

        Raises:
            ValueError: The checkpoint does not fit, apart from the classifier.
        """
        super().init_weights()
        if self.init_from is None:
            return
        content = read_checkpoint(self.init_from).state_dict
        own = self.state_dict()
        skipped = [
            name
            for name, value in content.items()
            if name.startswith(_CLASSIFIER) and value.shape != own[name].shape
        ]
        content.update({name: own[name] for name in skipped})
        load_state_dict_strict(self, content, self.init_from, skipped)
        if skipped:
            MMLogger.get_current_instance().info(
                f'{skipped} start at random: the checkpoint has another number of classes than '
                f'{self.num_classes}'
            )

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Label images.

        Args:
            inputs: Normalised RGB images (B, 3, H, W).
            data_samples: One per image; ``ori_shape`` (height, width) is the size of its labels. None
                makes new ones with labels of the input's size.

        Returns:
            The samples with ``pred_sem_seg``, uint8 (1, height, width).
        """
        samples = data_samples or [SegDataSample() for _ in inputs]
        if not self.labels_only or not self._is_plain(samples):
            return super().predict(inputs, data_samples)
        logits = self.decode_head.forward(self.extract_feat(inputs))  # (B, C, h, w)
        size = (inputs.shape[2], inputs.shape[3])
        for logit, sample in zip(logits, samples, strict=True):
            sizes = [size, sample.get('ori_shape', size)[:2]]
            labels = labels_at_size(logit, sizes, self.align_corners)
            sample.set_data({'pred_sem_seg': PixelData(data=labels[None])})
        return samples

    def _is_plain(self, samples: list[SegDataSample]) -> bool:
        """Whether all is whole-image prediction of classes, without padding or mirroring to undo."""
        undo = ('flip', 'padding_size', 'img_padding_size')
        return (
            self.out_channels > 1
            and self.test_cfg.get('mode', 'whole') == 'whole'
            and not any(np.any(sample.get(key, 0)) for sample in samples for key in undo)
        )
