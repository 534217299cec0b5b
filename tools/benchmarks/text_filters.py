#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""How often the filters of curation find text that is drawn over photos, and how often they drop a photo without.

    python tools/benchmarks/text_filters.py PHOTOS [--filters text watermark art] [--sheet examples.jpg]

Draws ten kinds of text over every photo of a folder, always the same for the same photos, and prints a table of the share of
pictures that each filter drops. Photos that show text themselves count as false alarms: leave them out.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Layer = Image.Image
WORDS = 'the quick brown fox jumps over a lazy dog while seven wizards box with jade vases'.split()


def text(random: np.random.Generator, count: int) -> str:
    """Some words."""
    return ' '.join(random.choice(WORDS, count))


def write(
    layer: Layer, at: tuple[float, float], words: str, size: float, colour: str, edge: str = ''
) -> None:
    """Write centred words in Pillow's own font.

    Args:
        layer: To draw on.
        at: Centre, x and y in shares of the sides.
        words: What to write.
        size: Size of the font, as a share of the height; less if the words are too wide.
        colour: Colour of the letters.
        edge: Colour of a border; none if empty.
    """
    width, height = layer.size
    pixels = min(size * height, 1.7 * width / len(words))
    font = ImageFont.load_default(max(6.0, pixels))
    border = {'stroke_width': max(1, round(pixels / 16)), 'stroke_fill': edge} if edge else {}
    place = (at[0] * width, at[1] * height)
    ImageDraw.Draw(layer).text(place, words, colour, font, 'mm', **border)


def caption(layer: Layer, random: np.random.Generator) -> None:
    """Large letters above and below, as on pictures that are passed around."""
    for y in (0.07, 0.93):
        write(layer, (0.5, y), text(random, 4).upper(), 0.1, 'white', 'black')


def subtitle(layer: Layer, random: np.random.Generator) -> None:
    """One line of a film."""
    write(layer, (0.5, 0.92), text(random, 5), 0.055, 'white', 'black')


def paragraph(layer: Layer, random: np.random.Generator) -> None:
    """Twelve lines."""
    for row in range(12):
        write(layer, (0.5, 0.2 + 0.055 * row), text(random, 7), 0.04, 'yellow')


def vertical(layer: Layer, random: np.random.Generator) -> None:
    """The lines, turned by a right angle."""
    turned = Image.new('RGBA', layer.size[::-1])
    paragraph(turned, random)
    layer.paste(turned.transpose(Image.Transpose.ROTATE_90))


def tilted(layer: Layer, random: np.random.Generator) -> None:
    """Three lines, turned by 30 degrees."""
    for y in (0.36, 0.5, 0.64):
        write(layer, (0.5, y), text(random, 3), 0.11, 'yellow')
    layer.paste(layer.rotate(30))


def word(layer: Layer, random: np.random.Generator) -> None:
    """One word over the whole picture."""
    write(layer, (0.5, 0.5), random.choice(['SALE', 'LOVE', 'NEWS']), 0.5, 'red')


def handwriting(layer: Layer, random: np.random.Generator) -> None:
    """Five lines of OpenCV's script font."""
    width, height = layer.size
    drawn = np.zeros((height, width, 4), np.uint8)
    scale, thickness = height / 300, max(1, round(height / 200))
    for row in range(5):
        place = (width // 16, round((0.25 + 0.14 * row) * height))
        font = cv2.FONT_HERSHEY_SCRIPT_COMPLEX
        white = (255, 255, 255, 255)
        cv2.putText(drawn, text(random, 3), place, font, scale, white, thickness, cv2.LINE_AA)
    layer.paste(Image.fromarray(drawn))


def date(layer: Layer, random: np.random.Generator) -> None:
    """Small digits in a corner, as cameras print them."""
    write(layer, (0.85, 0.94), f'2024-06-{random.integers(10, 30)} 14:31', 0.036, 'orange')


def mark(layer: Layer, random: np.random.Generator) -> None:
    """One faint name across the picture."""
    write(layer, (0.5, 0.5), 'stockphoto', 0.2, '#ffffff58', '#80808058')


def tiles(layer: Layer, random: np.random.Generator) -> None:
    """A faint name all over the picture, turned by 25 degrees."""
    for y in np.arange(-0.5, 1.5, 0.2):
        for x in np.arange(-0.5, 1.5, 0.35):
            write(layer, (x, y), 'stockphoto', 0.06, '#ffffff4c')
    layer.paste(layer.rotate(25))


KINDS = (
    caption, subtitle, paragraph, vertical, tilted, word, handwriting, date, mark, tiles,
)  # fmt: skip


def drawn_over(photo: np.ndarray, kind: Callable, seed: int) -> np.ndarray:
    """A BGR photo with text of a kind over it."""
    below = Image.fromarray(photo[..., ::-1]).convert('RGBA')
    layer = Image.new('RGBA', below.size)
    kind(layer, np.random.default_rng(seed))
    return np.array(Image.alpha_composite(below, layer).convert('RGB'))[..., ::-1].copy()


def main() -> None:
    """Draw, filter, count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('photos', help='folder of photos without text')
    parser.add_argument(
        '--filters', nargs='+', default=['text', 'watermark', 'art'], metavar='NAME'
    )
    parser.add_argument(
        '--sheet', type=Path, help='picture to write: the first photo with each kind'
    )
    args = parser.parse_args()
    from sapiens_common.files.images import list_images, read_image
    from sapiens_common.visualization.sheet import sheet
    from sapiens_pretrain.curation import ScoreFilter, make_filter

    filters = [make_filter(name) for name in args.filters]
    assert all(isinstance(one, ScoreFilter) for one in filters)
    photos = [read_image(path) for path in list_images(args.photos)]
    if args.sheet:
        examples = [(kind.__name__, drawn_over(photos[0], kind, 0)) for kind in KINDS]
        cv2.imwrite(str(args.sheet), sheet(examples, columns=5))
    print(f'| {len(photos)} photos | {" | ".join(args.filters)} |')
    print('|---' * (1 + len(filters)) + '|')
    for kind in (None, *KINDS):
        dropped = np.zeros(len(filters))
        for seed, photo in enumerate(photos):
            picture = drawn_over(photo, kind, seed) if kind else photo
            dropped += [one.scorer(picture) > one.threshold for one in filters]
        name = kind.__doc__.split('.')[0] if kind else 'no text (false alarms)'
        print(f'| {name} | ' + ' | '.join(f'{n / len(photos):.0%}' for n in dropped) + ' |')


if __name__ == '__main__':
    _bootstrap.run(main)
