# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Class vocabularies: names, palette, loss weights and the pairs a mirrored image swaps.

Configs name a vocabulary (``vocabulary='goliath'``) or write their own as a dict, see
:func:`resolve_vocabulary`; datasets, flips, losses and test-time augmentation all read it from here.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sapiens_common.layouts.body_parts import (
    BODY_PART_NAMES,
    BODY_PART_PALETTE,
    BODY_PART_SWAP_PAIRS,
    BODY_PART_WEIGHTS,
    IGNORE_INDEX,
)
from sapiens_common.layouts.body_parts29 import (
    BODY_PART29_NAMES,
    BODY_PART29_PALETTE,
    BODY_PART29_WEIGHTS,
)
from sapiens_common.layouts.sides import mirrored_name

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Vocabulary:
    """Classes of one labelling, by id.

    Attributes:
        name: What configs call it.
        classes: Class names; position is the id, 0 is background.
        palette: RGB 0..255 per class.
        weights: Cross-entropy weight per class; None weighs all classes alike.
        swap_pairs: Ids that trade places when an image is mirrored.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[Color, ...]
    weights: tuple[float, ...] | None
    swap_pairs: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        count = len(self.classes)
        if not 2 <= count <= IGNORE_INDEX - 1:  # 254 marks impossible values, 255 ignored ones
            raise ValueError(f'vocabulary {self.name}: expected 2 to 254 classes, got {count}')
        for what, values in (('palette', self.palette), ('weights', self.weights)):
            if values is not None and len(values) != count:
                raise ValueError(
                    f'vocabulary {self.name}: {count} classes but {len(values)} entries in {what}'
                )
        ids = [index for pair in self.swap_pairs for index in pair]
        if len(set(ids)) != len(ids) or any(not 0 <= index < count for index in ids):
            raise ValueError(
                f'vocabulary {self.name}: swap_pairs {self.swap_pairs} must hold each id of '
                f'0..{count - 1} at most once'
            )

    @property
    def metainfo(self) -> dict[str, Any]:
        """What MMLab datasets carry: ``classes`` and ``palette``."""
        return {'classes': self.classes, 'palette': [list(color) for color in self.palette]}


def infer_swap_pairs(classes: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pair the classes whose names differ only in left and right.

    Raises:
        ValueError: A class names a side and its partner is missing.
    """
    ids = {name: index for index, name in enumerate(classes)}
    pairs = []
    for name, index in ids.items():
        partner = mirrored_name(name)
        if partner == name:
            continue
        if partner not in ids:
            raise ValueError(
                f'class {name!r} has no partner {partner!r} to swap with in a mirrored image; add it, '
                'or give swap_pairs'
            )
        if index < ids[partner]:
            pairs.append((index, ids[partner]))
    return tuple(pairs)


def _spread_palette(count: int) -> tuple[Color, ...]:
    """Dark grey for background and well separated hues for the other classes."""
    colors: list[Color] = [(50, 50, 50)]
    for index in range(count - 1):
        hue = index * 0.618034 % 1  # golden ratio: neighbours in id are far apart in hue
        rgb = colorsys.hsv_to_rgb(hue, 0.55 + 0.4 * (index % 2), 1 - 0.3 * (index // 2 % 2))
        red, green, blue = (round(255 * part) for part in rgb)
        colors.append((red, green, blue))
    return tuple(colors)


# LIP. Name, loss weight, colour (MMSegmentation's).
_TWENTY: tuple[tuple[str, float, Color], ...] = (
    ('Background', 0.1, (0, 0, 0)),
    ('Hat', 1.5, (128, 0, 0)),
    ('Hair', 1.0, (255, 0, 0)),
    ('Glove', 1.5, (0, 85, 0)),
    ('Sunglasses', 1.5, (170, 0, 51)),
    ('UpperClothes', 0.8, (255, 85, 0)),
    ('Dress', 1.2, (0, 0, 85)),
    ('Coat', 1.0, (0, 119, 221)),
    ('Socks', 1.5, (85, 85, 0)),
    ('Pants', 0.8, (0, 85, 85)),
    ('Jumpsuits', 1.2, (85, 51, 0)),
    ('Scarf', 1.5, (52, 86, 128)),
    ('Skirt', 1.5, (0, 128, 0)),
    ('Face', 0.7, (0, 0, 255)),
    ('Left-arm', 1.0, (51, 170, 221)),
    ('Right-arm', 1.0, (0, 255, 255)),
    ('Left-leg', 1.0, (85, 255, 170)),
    ('Right-leg', 1.0, (170, 255, 85)),
    ('Left-shoe', 1.5, (255, 255, 0)),
    ('Right-shoe', 1.5, (255, 170, 0)),
)

# Microsoft FaceSynthetics.
_FACE_CLASSES = (
    'Background',
    'Skin',
    'Nose',
    'Right_eye',
    'Left_eye',
    'Right_brow',
    'Left_brow',
    'Right_ear',
    'Left_ear',
    'Mouth_interior',
    'Top_lip',
    'Bottom_lip',
    'Neck',
    'Hair',
    'Beard',
    'Clothing',
    'Glasses',
    'Headwear',
    'Facewear',
)


_TWENTY_CLASSES, _TWENTY_WEIGHTS, _TWENTY_PALETTE = zip(*_TWENTY, strict=True)
# One class differs, neck and chest; the published recipe of CIHP keeps LIP's name and weight for it.
_CIHP_CLASSES = tuple('Torso-skin' if name == 'Jumpsuits' else name for name in _TWENTY_CLASSES)

VOCABULARIES: dict[str, Vocabulary] = {
    vocabulary.name: vocabulary
    for vocabulary in (
        Vocabulary(
            'goliath', BODY_PART_NAMES, BODY_PART_PALETTE, BODY_PART_WEIGHTS, BODY_PART_SWAP_PAIRS
        ),
        Vocabulary(
            'goliath29',
            BODY_PART29_NAMES,
            BODY_PART29_PALETTE,
            BODY_PART29_WEIGHTS,
            infer_swap_pairs(BODY_PART29_NAMES),
        ),
        Vocabulary(
            'lip',
            _TWENTY_CLASSES,
            _TWENTY_PALETTE,
            _TWENTY_WEIGHTS,
            infer_swap_pairs(_TWENTY_CLASSES),
        ),
        Vocabulary(
            'cihp',
            _CIHP_CLASSES,
            _TWENTY_PALETTE,
            _TWENTY_WEIGHTS,
            infer_swap_pairs(_CIHP_CLASSES),
        ),
        Vocabulary(
            'face',
            _FACE_CLASSES,
            _spread_palette(len(_FACE_CLASSES)),
            None,
            infer_swap_pairs(_FACE_CLASSES),
        ),
        Vocabulary(
            'foreground', ('Background', 'Foreground'), ((50, 50, 50), (255, 218, 0)), None, ()
        ),
    )
}


def resolve_vocabulary(vocabulary: str | Sequence[str] | Mapping[str, Any]) -> Vocabulary:
    """A shipped vocabulary by name, or a user's own from a config.

    Args:
        vocabulary: A key of :data:`VOCABULARIES`; or class names, background first; or a dict with
            ``classes`` and optionally ``palette`` (RGB per class), ``weights`` (one per class) and
            ``swap_pairs`` (pairs of class names). Without ``swap_pairs`` left and right classes are
            paired by their names; an empty list says that nothing is to be swapped. A dict with the
            ``name`` of a shipped one in place of ``classes`` is that one, with what else it says changed;
            beside ``classes`` the name does not count, so that a config may inherit it.

    Raises:
        ValueError: Unknown name or key, names that repeat, or parts that do not fit together.
    """
    if isinstance(vocabulary, str):
        if vocabulary not in VOCABULARIES:
            raise ValueError(
                f'vocabulary {vocabulary!r} is not one of {list(VOCABULARIES)} (or a list of class '
                "names, or a dict with the key 'classes')"
            )
        return VOCABULARIES[vocabulary]
    if not isinstance(vocabulary, Mapping):
        vocabulary = {'classes': vocabulary}
    allowed = {'name', 'classes', 'palette', 'weights', 'swap_pairs'}
    if not {'name', 'classes'} & set(vocabulary) or set(vocabulary) - allowed:
        raise ValueError(
            f"a vocabulary dict needs 'classes', or the 'name' of a shipped one, and takes "
            f'{sorted(allowed)}, got {sorted(vocabulary)}'
        )
    return _own(vocabulary) if 'classes' in vocabulary else _changed(vocabulary)


def _changed(vocabulary: Mapping[str, Any]) -> Vocabulary:
    """The shipped vocabulary that a dict names, with what else the dict says in place of its own."""
    shipped = resolve_vocabulary(vocabulary['name'])
    named = {'classes': shipped.classes, 'palette': shipped.palette, 'weights': shipped.weights}
    changed = {**named, **{key: value for key, value in vocabulary.items() if key != 'name'}}
    own = _own({key: value for key, value in changed.items() if value})
    kept = own.swap_pairs if 'swap_pairs' in vocabulary else shipped.swap_pairs
    return replace(own, name=shipped.name, swap_pairs=kept)


def _own(vocabulary: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary of a dict with ``classes``, once its parts fit together."""
    classes = tuple(vocabulary['classes'])
    if len(set(classes)) != len(classes):
        raise ValueError(f'the class names of a vocabulary must differ, got {classes}')
    pairs = vocabulary.get('swap_pairs')
    if any(isinstance(pair, str) or len(pair) != 2 for pair in pairs or ()):
        raise ValueError(f'swap_pairs must be pairs of class names, got {pairs}')
    unknown = sorted({name for pair in pairs or () for name in pair} - set(classes))
    if unknown:
        raise ValueError(f'swap_pairs name {unknown}, which are not among the classes {classes}')
    palette = vocabulary.get('palette') or _spread_palette(len(classes))
    if any(len(color) != 3 or not all(0 <= part <= 255 for part in color) for color in palette):
        raise ValueError(f'the palette of a vocabulary must hold RGB of 0..255, got {palette}')
    if pairs is None:
        swap_pairs = infer_swap_pairs(classes)
    else:
        swap_pairs = tuple((classes.index(left), classes.index(right)) for left, right in pairs)
    weights = vocabulary.get('weights')
    return Vocabulary(
        'custom',
        classes,
        palette=tuple((red, green, blue) for red, green, blue in palette),
        weights=tuple(weights) if weights else None,
        swap_pairs=swap_pairs,
    )
