# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the header of an image file says, before anything of the image's size is allocated."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

import simplejpeg
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from sapiens_common.files.jpeg import JPEG_START

MAX_PIXELS = 178_956_970
"""Larger images are refused by their header: Pillow's own limit, above every camera's 12 to 100 million."""

TIFF_STARTS = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
_POSTSCRIPT_STARTS = (b'%!PS', b'\xc5\xd0\xd3\xc6')
_SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange width and height
_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 256, 257  # tags
_ALPHA_MODES = ('RGBA', 'LA', 'PA', 'RGBa', 'La')
_ANIMATED = ('GIF', 'PNG', 'WEBP', 'AVIF')
_HEIF_BRANDS = (b'heic', b'heix', b'hevc', b'heim', b'heis', b'mif1', b'msf1')


@dataclass(frozen=True)
class Header:
    """What is known of an image file without decoding it.

    Attributes:
        size: (height, width) in pixels as the image is to be shown.
        orientation: EXIF's number from 1 to 8 that the decoded pixels still need; 1 is upright. Of
            TIFF files it is always 1, because decoders follow it themselves.
        damaged_exif: Whether there is an EXIF block that cannot be read.
        format: Pillow's name of the format, such as ``JPEG``.
        mode: Pillow's name of the kind of pixels, such as ``RGB``; empty where Pillow knows none.
        frames: How many pictures an animation holds; 1 for anything else.
        transparent: Whether pixels may be transparent.
    """

    size: tuple[int, int]
    orientation: int = 1
    damaged_exif: bool = False
    format: str = ''
    mode: str = ''
    frames: int = 1
    transparent: bool = False


def read_header(source: bytes | Path, name: str | Path) -> Header:
    """Read the header of an image.

    Args:
        source: The encoded image, or its file, of which no more than needed is read.
        name: What the error calls it.

    Raises:
        ValueError: It is not an image, or claims to have more than :data:`MAX_PIXELS`.
    """
    try:
        if isinstance(source, bytes):
            header = _read(BytesIO(source))
        else:
            with source.open('rb') as file:
                header = _read(file)
    except UnidentifiedImageError as error:
        raise ValueError(
            f'image {name} cannot be decoded: its content is of no known image format'
        ) from error
    except Exception as error:  # damaged data fails in many ways
        raise ValueError(f'image {name} cannot be decoded: {error}') from error
    height, width = header.size
    if width * height > MAX_PIXELS:
        raise ValueError(
            f'image {name} claims {width} x {height} pixels, more than the {MAX_PIXELS} that are '
            'accepted (a decompression bomb?)'
        )
    return header


def open_picture(file: IO[bytes]) -> Image.Image:
    """Open an image with Pillow, HEIC too, but PostScript, a program that Pillow would run with Ghostscript.

    Raises:
        ValueError: It is a HEIC file and its reader is not installed.
        UnidentifiedImageError: Pillow does not know it, or it is PostScript.
    """
    start = file.read(12)
    file.seek(0)
    if start.startswith(_POSTSCRIPT_STARTS):
        raise UnidentifiedImageError
    if start[4:8] == b'ftyp' and start[8:12] in _HEIF_BRANDS:
        try:
            from pillow_heif import register_heif_opener
        except ImportError as error:
            raise ValueError('reading HEIC files needs "pip install pillow-heif"') from error
        register_heif_opener()
    return Image.open(file)


def _read(file: IO[bytes]) -> Header:
    start = file.read(4)
    file.seek(0)
    if start in TIFF_STARTS:
        return _read_tiff(file)
    try:
        image = open_picture(file)
    except UnidentifiedImageError:
        if not start.startswith(JPEG_START):
            raise
        file.seek(0)  # Pillow reads more of a JPEG's metadata than its pixels need
        height, width, *_ = simplejpeg.decode_jpeg_header(file.read(), strict=False)
        return Header((height, width), damaged_exif=True, format='JPEG', mode='RGB')
    with image:
        orientation = _orientation(image, file)
        width, height = image.size
        return Header(
            (width, height) if orientation in _SIDEWAYS else (height, width),
            orientation or 1,
            orientation is None,
            image.format or '',
            image.mode,
            getattr(image, 'n_frames', 1) if image.format in _ANIMATED else 1,
            image.mode in _ALPHA_MODES or 'transparency' in image.info,
        )


def _read_tiff(file: IO[bytes]) -> Header:
    """The header of a TIFF, of any kind of pixels: Pillow knows no colours as floats."""
    directory = ImageFileDirectory_v2(file.read(8))
    file.seek(directory.next)
    directory.load(file)
    if _WIDTH not in directory or _HEIGHT not in directory:
        raise UnidentifiedImageError
    size = (directory[_HEIGHT], directory[_WIDTH])
    sideways = directory.get(_ORIENTATION, 1) in _SIDEWAYS
    file.seek(0)
    mode, frames = '', 1
    with suppress(Exception), Image.open(file) as image:
        mode, frames = image.mode, getattr(image, 'n_frames', 1)
    return Header(
        size[::-1] if sideways else size,
        format='TIFF',
        mode=mode,
        frames=frames,
        transparent=mode in _ALPHA_MODES,
    )


def _orientation(image: Image.Image, file: IO[bytes]) -> int | None:
    """What EXIF says, 1 if there is none; None if it cannot be read."""
    block = image.info.get('exif')
    if block is None and image.format == 'PNG':
        # The block may stand behind the pixels, where Pillow finds it by decoding them.
        place = file.tell()
        file.seek(0)
        found = b'eXIf' in file.read()
        file.seek(place)
        if found:
            image.load()
            block = image.info.get('exif')
    if not block:
        return 1
    exif = Image.Exif()
    try:
        exif.load(block)
        value = exif.get(_ORIENTATION, 1)
    except Exception:  # garbage fails in many ways
        return None
    return value if value in range(1, 9) else None
