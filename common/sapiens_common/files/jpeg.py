# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""JPEG files through libjpeg-turbo, whose warnings of damaged data are errors here.

Other readers print them, or keep them to themselves, and give a picture that is grey, or shifted and
discoloured, from the damage on. The pixels are those of OpenCV, which uses the same library.
"""

import re

import numpy as np
import simplejpeg

JPEG_START = b'\xff\xd8'
_END, _SCAN = b'\xff\xd9', b'\xff\xda'
_DAMAGE = re.compile(r'Corrupt JPEG data|Premature end|Inconsistent progression')
_REST = re.compile(r'(\d+) extraneous bytes before marker 0xd9')


def decode_jpeg(encoded: bytes, name: object, reduction: int = 1) -> np.ndarray:
    """Decode a JPEG of any colour space as it is stored, without regard to EXIF.

    Args:
        encoded: The file's content.
        name: What the error calls it.
        reduction: 1, 2, 4 or 8: height and width are divided by it, rounded up.

    Returns:
        BGR uint8 (H, W, 3).

    Raises:
        ValueError: The data is damaged or ends early.
    """
    if encoded.rfind(_END) < encoded.rfind(_SCAN):
        encoded += _END  # some writers leave it out; if more is missing, the scan will say so
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(encoded, strict=False)
        options = {
            'colorspace': 'BGR',
            'min_factor': reduction,
            'min_height': -(-height // reduction),
            'min_width': -(-width // reduction),
        }
        try:
            return simplejpeg.decode_jpeg(encoded, **options)
        except ValueError as error:
            if not _is_harmless(str(error), encoded):
                raise
        return simplejpeg.decode_jpeg(encoded, strict=False, **options)
    except ValueError as error:
        raise ValueError(f'image {name} cannot be decoded, its data is damaged: {error}') from error


def _is_harmless(warning: str, encoded: bytes) -> bool:
    """Whether a whole picture may give rise to a warning: odd metadata, or padding after the last pixel."""
    rest = _REST.search(warning)
    if rest is None:
        return _DAMAGE.search(warning) is None
    count = int(rest[1])
    end = encoded.find(_END)
    while end >= 0:  # thumbnails and second pictures have ends too
        if len(set(encoded[max(0, end - count) : end])) == 1:
            return True
        end = encoded.find(_END, end + 2)
    return False
