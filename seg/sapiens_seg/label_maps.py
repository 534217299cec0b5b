# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""How the values of a label file become class ids: lookup tables with 256 entries.

A pixel of another data set is mapped to one of the 28 or 29 body parts only where that part holds for every
pixel of the source class. Classes that would need a split (a whole arm, socks without a side, a head
with hair and face) become ignored.
"""

from __future__ import annotations

import numpy as np

from sapiens_common.layouts.body_parts import IGNORE_INDEX, NUM_RAW_PARTS, raw_to_part_table
from sapiens_common.layouts.body_parts29 import EYEGLASS, FROM_28, SOURCE_MAPS, TO_28

from .vocabularies import VOCABULARIES, Vocabulary

IMPOSSIBLE = 254
"""Table entry of a value that no file of the source may hold."""

ATR_CLASSES = (
    'Background',
    'Hat',
    'Hair',
    'Sunglasses',
    'UpperClothes',
    'Skirt',
    'Pants',
    'Dress',
    'Belt',
    'Left-shoe',
    'Right-shoe',
    'Face',
    'Left-leg',
    'Right-leg',
    'Left-arm',
    'Right-arm',
    'Bag',
    'Scarf',
)
PASCAL_PERSON_PART_CLASSES = (
    'Background',
    'Head',
    'Torso',  # clothed or not
    'Upper-arms',  # of both sides
    'Lower-arms',
    'Upper-legs',
    'Lower-legs',
)

# Names shared by LIP, CIHP and ATR. A skirt is worn below the waist: the published (unused) converter
# calls it Upper_Clothing.
_TO_PARTS = {
    'Background': 'Background',
    'Hair': 'Hair',
    'Face': 'Face_Neck',
    'UpperClothes': 'Upper_Clothing',
    'Coat': 'Upper_Clothing',
    'Pants': 'Lower_Clothing',
    'Skirt': 'Lower_Clothing',
    'Left-shoe': 'Left_Shoe',
    'Right-shoe': 'Right_Shoe',
    'Sunglasses': EYEGLASS,  # of 29 parts; of 28 none holds glasses alone
}
_SOURCES = {
    'lip': VOCABULARIES['lip'].classes,
    'cihp': VOCABULARIES['cihp'].classes,
    'atr': ATR_CLASSES,
    'pascal_person_part': PASCAL_PERSON_PART_CLASSES,
}
# Tables between body-part layouts, by vocabulary and by what the values are.
_PART_TABLES = {
    'goliath': {
        'goliath_raw': tuple(raw_to_part_table()[:NUM_RAW_PARTS]),
        'goliath29': TO_28,
    },
    'goliath29': {
        'goliath_raw': SOURCE_MAPS['dome_34'],
        'goliath': FROM_28,
        'shutterstock': SOURCE_MAPS['shutterstock_52'],
        'face33': SOURCE_MAPS['internal_33'],
    },
}
_FOREGROUND = ('any_part', 'mask')
LABEL_VALUES = (
    'ids',
    *dict.fromkeys(values for tables in _PART_TABLES.values() for values in tables),
    *_SOURCES,
    *_FOREGROUND,
)
"""What the values of label files may mean, see :func:`label_table`."""


def vocabularies_of(values: str) -> list[str]:
    """Names of the vocabularies that label values other than ``ids`` can be mapped to.

    Raises:
        ValueError: Unknown values.
    """
    if values not in LABEL_VALUES:
        raise ValueError(f'label values {values!r} are not one of {LABEL_VALUES}')
    if values in _FOREGROUND:
        return ['foreground']
    return [name for name in _PART_TABLES if values in _SOURCES or values in _PART_TABLES[name]]


def label_table(values: str, vocabulary: Vocabulary) -> np.ndarray:
    """Table from file values to class ids.

    Args:
        values: ``ids``: the files hold ids of the vocabulary, whichever that is. For the
            vocabularies ``goliath`` (28 parts) and ``goliath29``: ``goliath_raw``, the 34 values of the
            original annotation; ``lip``, ``cihp``, ``atr``, ``pascal_person_part``, ids of that data set;
            what has no part becomes ignored. ``goliath29`` for 28 parts and ``goliath`` for 29: the ids of
            the other. For ``goliath29`` alone: ``shutterstock`` (52 values) and ``face33`` (33), as
            published. For the vocabulary ``foreground``:
            ``any_part``, body-part ids of which each above 0 is foreground and 255 is ignored;
            ``mask``, where every value above 0, 255 too, is foreground.
        vocabulary: The classes to arrive at.

    Returns:
        uint8 (256,): class id, 255 (ignored) or :data:`IMPOSSIBLE` per value.

    Raises:
        ValueError: Unknown ``values``, or a vocabulary that it cannot be mapped to.
    """
    table = np.full(256, IMPOSSIBLE, dtype=np.uint8)
    table[IGNORE_INDEX] = IGNORE_INDEX
    if values == 'ids':
        table[: len(vocabulary.classes)] = np.arange(len(vocabulary.classes))
        return table
    targets = vocabularies_of(values)
    if vocabulary.name not in targets:
        kind = 'vocabulary' if len(targets) == 1 else 'vocabularies'
        raise ValueError(
            f'label values {values!r} map to the {kind} {" and ".join(targets)}, not to '
            f"{vocabulary.name}; use 'ids' for files that hold its own ids"
        )
    if values in _FOREGROUND:
        table[0] = 0
        table[1 : 256 if values == 'mask' else IGNORE_INDEX] = 1
    elif values in _SOURCES:
        ids = {name: index for index, name in enumerate(vocabulary.classes)}
        for value, name in enumerate(_SOURCES[values]):
            table[value] = ids.get(_TO_PARTS.get(name, ''), IGNORE_INDEX)
    else:
        parts = _PART_TABLES[vocabulary.name][values]
        table[: len(parts)] = parts
    return table
