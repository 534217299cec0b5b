# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Videos in through PyAV, with the frame rate and times of the file."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from sapiens_inference.items import Frame, Video

VIDEO_SUFFIXES = ('.mp4', '.mov', '.avi', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg')


def import_av() -> Any:
    """PyAV, imported on first use: only videos need it."""
    try:
        import av
    except ImportError as error:
        raise ImportError('videos need PyAV: pip install av') from error
    # torchvision of torch 2.6 and before has FFmpeg log through Python. A thread of a decoder that logs
    # while Python closes the decoder waits for the interpreter, and the interpreter for the thread.
    av.logging.set_level(None)
    return av


def upright(decoded: Any) -> np.ndarray:
    """PyAV's frame as uint8 (H, W, 3) BGR, turned as the file says it is shown."""
    image = decoded.to_ndarray(format='bgr24')
    turns = round(getattr(decoded, 'rotation', 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def open_video(path: str | Path, name: str) -> tuple[Video, int | None]:
    """What is known of a video before reading it: its rate, and how many frames it claims.

    Raises:
        ValueError: The file is not a video, or is damaged.
    """
    av = import_av()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f'{path}: the file has no video stream')
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.base_rate or Fraction(25)
            return Video(name, Path(path), Fraction(rate)), stream.frames or None
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f'{path}: cannot be opened as a video ({_cause(error)})') from error


def _cause(error: Exception) -> str:
    """What went wrong, without FFmpeg's own error number."""
    return getattr(error, 'strerror', None) or str(error)


def read_video(video: Video) -> Iterator[tuple[Frame, np.ndarray | None, str | None]]:
    """Frames of a video file, upright.

    Yields:
        Place in the video; uint8 (H, W, 3) BGR or None; and the error that ended the reading.
    """
    av = import_av()
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
                yield Frame(video, number, time), upright(decoded), None
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
        reason = f'{video.path}: reading stopped after {number} frames ({_cause(error)})'
        yield Frame(video, number, float(number / video.rate)), None, reason
