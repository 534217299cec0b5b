# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Video in and out through PyAV: the source's rate, times and sound are kept."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from .items import Frame, Video
from .sound import TAIL, Sound

VIDEO_SUFFIXES = ('.mp4', '.mov', '.avi', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg')
_ENCODERS = ('libx264', 'mpeg4')


def _av() -> Any:
    """PyAV, imported on first use: only videos need it."""
    try:
        import av
    except ImportError as error:
        raise ImportError('videos need PyAV: pip install av') from error
    return av


def open_video(path: str | Path, name: str) -> tuple[Video, int | None]:
    """What is known of a video before reading it: its rate, and how many frames it claims.

    Raises:
        ValueError: The file is no video, or damaged.
    """
    av = _av()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f'{path}: the file has no video stream')
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.base_rate or Fraction(25)
            return Video(name, Path(path), Fraction(rate)), stream.frames or None
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f'{path}: cannot be opened as a video ({error})') from error


def read_video(video: Video) -> Iterator[tuple[Frame, np.ndarray | None, str | None]]:
    """Frames of a video file, upright.

    Yields:
        Place in the video; uint8 (H, W, 3) BGR or None; and the error that ended the reading.
    """
    av = _av()
    number = 0
    try:
        with av.open(str(video.path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            start = None
            for decoded in container.decode(stream):
                if decoded.time is None:
                    time = float(number / video.rate)
                else:
                    start = decoded.time if start is None else start
                    time = decoded.time - start
                image = decoded.to_ndarray(format='bgr24')
                turns = round(getattr(decoded, 'rotation', 0) / 90) % 4
                if turns:
                    image = np.ascontiguousarray(np.rot90(image, turns))
                yield Frame(video, number, time), image, None
                number += 1
            claimed = stream.frames
        if not number:
            yield Frame(video, 0, 0.0), None, f'{video.path}: the video holds no frame'
        elif number < claimed:  # not every container tells that it ends early
            MMLogger.get_current_instance().warning(
                f'{video.path}: {number} frames were read, its header claims {claimed}; is it torn?'
            )
    except (av.FFmpegError, OSError) as error:
        # What was read so far is good; the rest of the file is lost, and the user is told.
        reason = f'{video.path}: reading stopped after {number} frames ({error})'
        yield Frame(video, number, float(number / video.rate)), None, reason


class VideoWriter:
    """Write frames as MP4 with the rate, frame times and sound of a source video.

    Args:
        path: File to write.
        video: The source, for its rate and sound.

    Attributes:
        path: As given.
    """

    def __init__(self, path: Path, video: Video) -> None:
        self.av = _av()
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
        if self._sound is not None:
            self._sound.copy_until(frame.time)

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

    def close(self) -> None:
        """Write what is buffered, the sound up to the end of the pictures, and finish the file."""
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode())
            if self._sound is not None:
                self._sound.copy_until(float(self._last * self._time_base) + TAIL)
        finally:
            if self._sound is not None:
                self._sound.close()
            self._container.close()
