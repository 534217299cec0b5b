# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""How the values of a label file become class ids: lookup tables with 256 entries.

A pixel of another data set is mapped to one of the 28 body parts only where that part holds for every
pixel of the source class. Classes that would need a split (a whole arm, socks without a side, a head
with hair and face) become ignored.
"""

from __future__ import annotations

import numpy as np

from sapiens_common.layouts.body_parts import (
    BODY_PART_IDS,
    IGNORE_INDEX,
    NUM_RAW_PARTS,
    raw_to_part_table,
)

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
}
_SOURCES = {
    'lip': VOCABULARIES['lip'].classes,
    'cihp': VOCABULARIES['lip'].classes,
    'atr': ATR_CLASSES,
    'pascal_person_part': PASCAL_PERSON_PART_CLASSES,
}
LABEL_VALUES = ('ids', 'goliath_raw', *_SOURCES, 'any_part', 'mask')
"""What the values of label files may mean, see :func:`label_table`."""


def label_table(values: str, vocabulary: Vocabulary) -> np.ndarray:
    """Table from file values to class ids.

    Args:
        values: ``ids``: the files hold ids of the vocabulary, whichever that is. For the
            vocabulary ``goliath``: ``goliath_raw``, the 34 values of the original annotation, whose
            six removed classes become ignored; ``lip``, ``cihp``, ``atr``,
            ``pascal_person_part``, ids of that data set. For the vocabulary ``foreground``:
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
    if values not in LABEL_VALUES:
        raise ValueError(f'label values {values!r} are not one of {LABEL_VALUES}')
    target = 'foreground' if values in ('any_part', 'mask') else 'goliath'
    if vocabulary.name != target:
        raise ValueError(
            f'label values {values!r} map to the vocabulary {target}, not to {vocabulary.name}; use '
            "'ids' for files that hold its own ids"
        )
    if target == 'foreground':
        table[0] = 0
        table[1 : 256 if values == 'mask' else IGNORE_INDEX] = 1
    elif values == 'goliath_raw':
        table[:NUM_RAW_PARTS] = raw_to_part_table()[:NUM_RAW_PARTS]
    else:
        for value, name in enumerate(_SOURCES[values]):
            part = _TO_PARTS.get(name)
            table[value] = IGNORE_INDEX if part is None else BODY_PART_IDS[part]
    return table
