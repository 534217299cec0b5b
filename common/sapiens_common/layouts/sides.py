# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Left and right in the names of keypoints and classes."""

from __future__ import annotations

import re

SIDE_COLORS: dict[str, tuple[int, int, int]] = {
    'left': (0, 220, 60),
    'right': (255, 128, 0),
    '': (51, 153, 255),
}
"""RGB by the person's own side: green, orange, and blue in the middle."""

# A side is a whole word of the name (l_eye, eye.R, Left eye) or a camel-case part (LEye, eyeLeft).
_WORD = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+|.', re.DOTALL)
_SIDES = {'left': 'right', 'right': 'left', 'l': 'r', 'r': 'l'}


def side_of(name: str) -> str:
    """``left``, ``right`` or empty, from the name of a keypoint or class."""
    for word in _split(name):
        if word.lower() in _SIDES:
            return 'left' if word.lower().startswith('l') else 'right'
    return ''


def mirrored_name(name: str) -> str:
    """A name with its side exchanged, in the same spelling; the name itself where it has none."""
    words = _split(name)
    for index, word in enumerate(words):
        other = _SIDES.get(word.lower())
        if other:
            words[index] = _spell_like(other, word)
            return ''.join(words)
    return name


def _split(name: str) -> list[str]:
    """Words and separators of a name: ``LEye`` gives L and Eye, ``leye`` stays one word."""
    return _WORD.findall(name)


def _spell_like(word: str, model: str) -> str:
    """``word`` in the capitals of ``model``."""
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
