# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Pictures with the statistics of photos, made on the spot."""

import io

import cv2
import numpy as np
from PIL import Image


def photo_like(seed, size=(400, 360)):
    """A picture (height, width) with detail at every scale and sensor noise."""
    random = np.random.default_rng(seed)
    image = np.zeros((*size, 3))
    for octave in range(2, 7):
        cells = random.normal(size=(2**octave, 2**octave, 3))
        image += cv2.resize(cells, size[::-1], interpolation=cv2.INTER_CUBIC) / octave
    image = 128 + 40 * image + random.normal(scale=3, size=image.shape)
    return image.clip(0, 255).astype(np.uint8)


def jpeg(image, quality=92):
    buffer = io.BytesIO()
    Image.fromarray(image[..., ::-1]).save(buffer, 'JPEG', quality=quality)
    return buffer.getvalue()
