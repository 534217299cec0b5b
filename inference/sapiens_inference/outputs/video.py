# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Videos out through PyAV: the source's rate, times and sound are kept."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from sapiens_inference.inputs.video import import_av
from sapiens_inference.items import Frame, Video
from sapiens_inference.outputs.sound import TAIL, Sound

_ENCODERS = ('libx264', 'mpeg4')


class VideoWriter:
    """Write frames as MP4 with the rate, frame times and sound of a source video.

    Args:
        path: File to write.
        video: The source, for its rate and sound.

    Attributes:
        path: As given.
    """

    def __init__(self, path: Path, video: Video) -> None:
        self.av = import_av()
        self.path, self.video = path, video
        # The index goes to the front when the file is closed, so that browsers play it while they load it.
        self._container = self.av.open(str(path), mode='w', options={'movflags': 'faststart'})
        self._stream: Any = None
        self._sound: Sound | None = None
        self._last = -1
        self._time_base = Fraction(1, 90000)

    def write(self, picture: np.ndarray, frame: Frame) -> None:
        """Append a picture.

        Args:
            picture: uint8 (H, W, 3) BGR; one of another size than the first is stretched to it.
            frame: Its place in the source.
        """
        height, width = picture.shape[:2]
        if self._stream is None:
            self._start(height + height % 2, width + width % 2)
        if height % 2 or width % 2:  # chroma is stored at half size, so both sides must be even
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode='edge')
        encoded = self.av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format='bgr24')
        encoded.time_base = self._time_base
        self._last = max(self._last + 1, round(frame.time / self._time_base))
        encoded.pts = self._last
        self._container.mux(self._stream.encode(encoded))
        self._copy_sound(frame.time)

    def _start(self, height: int, width: int) -> None:
        name = next(name for name in _ENCODERS if name in self.av.codecs_available)
        stream = self._container.add_stream(name, rate=self.video.rate)
        stream.height, stream.width, stream.pix_fmt = height, width, 'yuv420p'
        stream.codec_context.time_base = self._time_base
        if name == 'libx264':
            stream.options = {'crf': '18', 'preset': 'veryfast'}
        else:
            stream.bit_rate = 8_000_000
        self._stream = stream
        if self.video.path is not None:
            self._sound = Sound.of(self.video.path, self._container)

    def _copy_sound(self, time: float) -> None:
        """Write what is heard up to a time; sound that is damaged ends there, and the pictures go on."""
        if self._sound is None:
            return
        try:
            self._sound.copy_until(time)
        except self.av.FFmpegError as error:
            if isinstance(error, OSError):  # it is the disk
                raise
            MMLogger.get_current_instance().warning(
                f'{self.video.path}: the rest of its sound is damaged and left out ({error.strerror})'
            )
            self._sound.close()
            self._sound = None

    def close(self) -> None:
        """Write what is buffered, the sound up to the end of the pictures, and finish the file."""
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode())
            self._copy_sound(float(self._last * self._time_base) + TAIL)
        finally:
            if self._sound is not None:
                self._sound.close()
            self._container.close()
