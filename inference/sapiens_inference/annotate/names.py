# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Names in a file of boxes, compared with those of the inputs before any is labelled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from sapiens_inference.inputs.boxes import GivenBoxes, find_boxes

from .sources import Entry, aliases_of, describe


class Names:
    """What a file of boxes calls images and frames.

    Args:
        path: The file, for messages.
        names: The names in it.
    """

    def __init__(self, path: str, names: Collection[str]) -> None:
        self.path, self.names = path, set(names)
        pairs = (name.rpartition('/') for name in self.names)
        self.numbered = {folder for folder, _, last in pairs if last.isdecimal()}

    def number_frames_of(self, video: str) -> bool:
        """Whether frames of a video may have numbers as names, alone or after the video's.

        Such a video must stay whole: a range that begins in the middle does not know how many frames are before it.
        """
        return video in self.numbered or '' in self.numbered

    def check(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Pass the inputs on.

        Raises:
            ValueError: The file names none of them.
        """
        first, fits = '', False
        for entry in entries:
            first = first or describe(entry)
            fits = fits or self._fit(entry)
            yield entry
        if first and not fits:
            known = ', '.join(sorted(self.names)[:3]) or 'none at all'
            raise ValueError(
                f'{self.path} names none of the inputs; names with boxes: {known}; the first input: {first}'
            )

    def _fit(self, entry: Entry) -> bool:
        if 'part' in entry and self.number_frames_of(entry['name']):
            return True
        return not self.names.isdisjoint(aliases_of(entry))


def names_in(boxes: str | None) -> Names | None:
    """Names in a file of boxes; None where boxes are not of a file.

    Raises:
        ValueError: It does not exist, or is not a file of boxes.
    """
    if boxes in (None, 'detector'):
        return None
    finder = find_boxes(boxes, None)
    if not isinstance(finder, GivenBoxes) or not isinstance(finder.boxes, dict):
        return None
    return Names(str(boxes), finder.boxes)
