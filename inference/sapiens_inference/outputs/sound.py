# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The sound of a source video in the video that is written."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

COPIED = ('aac',)
"""Codecs that every player takes from an MP4 file; others are encoded as AAC."""
GAP = 0.25
"""A longer silence that a file leaves out is left out here too."""
_LAYOUTS = {1: 'mono', 2: 'stereo'}  # raw sound may not say
TAIL = 1.0
"""Sound may begin before and outlast the pictures by so many seconds; more is left out, as after an early
stop."""


class Sound:
    """A sound stream of a video file, on its way into another.

    Packets go out beside the pictures of the same time, so neither the file nor the memory holds all
    sound behind all pictures.

    Args:
        source: Opened input container.
        stream: Its sound.
        target: Opened output container, before its first packet.
    """

    def __init__(self, source: Any, stream: Any, target: Any) -> None:
        self._source, self._target = source, target
        video = source.streams.video[0]
        # Frames are counted from the first one's time.
        self._start = float((video.start_time or 0) * video.time_base)
        if stream.codec_context.name in COPIED:
            self._stream = target.add_stream_from_template(stream)
            packets = self._copied(stream)
        else:
            self._stream = target.add_stream('aac', rate=stream.rate)
            self._stream.layout = _LAYOUTS.get(stream.channels, 'stereo')
            packets = self._encoded(stream)
        self._packets: Iterator[tuple[float, Any]] = packets
        self._next: tuple[float, Any] | None = None

    @classmethod
    def of(cls, path: Path, target: Any) -> Sound | None:
        """The first sound of a file whose codec FFmpeg knows; None if it has none."""
        import av

        source = av.open(str(path))
        for stream in source.streams.audio:
            if stream.codec_context is not None:
                return cls(source, stream, target)
        if source.streams.audio:
            MMLogger.get_current_instance().warning(
                f'{path}: the sound is left out, its codec is unknown'
            )
        source.close()
        return None

    def _copied(self, stream: Any) -> Iterator[tuple[float, Any]]:
        """Time and packet, untouched."""
        for packet in self._source.demux(stream):
            if packet.dts is None:
                continue
            shift = round(self._start / packet.time_base)
            packet.dts -= shift
            packet.pts = packet.dts if packet.pts is None else packet.pts - shift
            yield float(packet.pts * packet.time_base), packet

    def _encoded(self, stream: Any) -> Iterator[tuple[float, Any]]:
        """Time and packet, encoded anew."""
        position = None
        for frame in self._source.decode(stream):
            # Samples are counted: the times of some containers overlap by rounding, which encoders refuse.
            heard = round(((frame.time or 0.0) - self._start) * frame.sample_rate)
            if position is None or heard - position > frame.sample_rate * GAP:
                position = heard
            frame.pts, frame.time_base = position, Fraction(1, frame.sample_rate)
            position += frame.samples
            for packet in self._stream.encode(frame):
                yield float(packet.pts * packet.time_base), packet
        for packet in self._stream.encode(None):
            yield float(packet.pts * packet.time_base), packet

    def copy_until(self, time: float) -> None:
        """Write what is heard up to a time, in seconds from the first frame."""
        while True:
            if self._next is None:
                self._next = next(self._packets, None)
            if self._next is None or self._next[0] > time:
                return
            heard, packet = self._next
            self._next = None
            if heard > -TAIL:
                packet.stream = self._stream
                self._target.mux(packet)

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()
