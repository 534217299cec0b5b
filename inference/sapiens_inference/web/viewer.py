# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Results of a run as pages that need no server: layers, values under the pointer, points by name."""

from __future__ import annotations

import base64
import json
from importlib.resources import files
from typing import Any

import cv2
import numpy as np

from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_common.visualization import depth_picture, normal_picture, part_title
from sapiens_inference.outputs.exports.run_folder import Person, Record

LARGEST = 1280
"""Longer side of the pictures in a page, in pixels; larger photos are shown smaller."""

_PLAIN = '#3399ff'


def photo_page(record: Record) -> str:
    """The HTML page of one image or frame: photo, layers with opacity, keypoints, classes.

    Args:
        record: With its image at hand.
    """
    photo = record.pixels()
    scale = min(1.0, LARGEST / max(photo.shape[:2]))
    width, height = (max(1, round(side * scale)) for side in photo.shape[1::-1])

    def fit(picture: np.ndarray, values: bool = False) -> np.ndarray:
        if picture.shape[1::-1] == (width, height):
            return picture
        kind = cv2.INTER_NEAREST if values else cv2.INTER_AREA
        return cv2.resize(picture, (width, height), interpolation=kind)

    content: dict[str, Any] = {
        'name': record.stem,
        'width': width,
        'height': height,
        'scale': scale,
        'photo': _encode(fit(photo), '.jpg'),
        'layers': _layers(record, fit),
        'people': None,
    }
    if record.people is not None:
        content |= _people(record.people, record.run.keypoint_names, scale)
    return _fill('viewer.html', content)


def video_page(films: dict[str, str], records: list[Record]) -> str:
    """The HTML page of a video: the films of its tasks, and when each person is seen.

    Args:
        films: Address of each film by what it shows; the first is shown first.
        records: Of all frames, without their pictures; none if people were not looked for.
    """
    times = [record.time or 0.0 for record in records] or [0.0]
    step = (times[-1] - times[0]) / max(1, len(times) - 1)
    spans: dict[int, list[list[float]]] = {}
    for record in records:
        for person in record.people or []:
            if person.track_id is None:
                continue
            time = record.time or 0.0
            own = spans.setdefault(person.track_id, [])
            if own and time - own[-1][1] < 0.5 * step:
                own[-1][1] = time + step
            else:
                own.append([time, time + step])
    tracks = [{'id': track, 'spans': own} for track, own in sorted(spans.items())]
    content = {'films': films, 'seconds': times[-1] + step, 'tracks': tracks}
    return _fill('video.html', content)


def _fill(template: str, content: dict[str, Any]) -> str:
    folder = files(__package__)
    page, frame = (folder.joinpath(name).read_text('utf-8') for name in (template, 'frame.js'))
    # A "<" in a name could end the script element that holds the data.
    data = json.dumps(content, allow_nan=False).replace('<', '\\u003c')
    return page.replace('/*FRAME*/', frame).replace('/*DATA*/', data)


def _encode(picture: np.ndarray, suffix: str = '.png') -> str:
    """A picture (H, W, 3 or 4) BGR as a data address."""
    kind = 'jpeg' if suffix == '.jpg' else 'png'
    encoded = base64.b64encode(cv2.imencode(suffix, picture)[1].tobytes()).decode('ascii')
    return f'data:image/{kind};base64,{encoded}'


def _layers(record: Record, fit: Any) -> dict[str, dict[str, Any]]:
    """Pictures and value maps of the dense tasks that the run has."""
    layers: dict[str, dict[str, Any]] = {}
    labels = record.array('seg')
    mask = None if labels is None else labels > 0
    if labels is not None:
        layers['parts'] = {
            'values': _encode(fit(np.repeat(labels[..., None], 3, axis=2), values=True)),
            'classes': _classes(record, labels),
        }
    depth = record.array('depth')
    if depth is not None:
        layers['depth'] = {
            'picture': _encode(fit(depth_picture(depth, mask))),
            **_values(fit(depth, values=True), '(0 near, 1 far)'),
        }
    normal = record.array('normal')
    if normal is not None:
        layers['normals'] = {'picture': _encode(fit(normal_picture(normal, mask)))}
    points = record.array('pointmap')
    if points is not None:
        distance = points[..., 2]
        layers['pointmap'] = {
            'picture': _encode(fit(depth_picture(distance, mask))),
            **_values(fit(distance, values=True), 'm'),
        }
    albedo = record.array('albedo')
    if albedo is not None:
        layers['albedo'] = {'picture': _encode(fit(np.ascontiguousarray(albedo[..., 2::-1])))}
    cut = record.array('matting')
    if cut is not None:
        layers['cutout'] = {'picture': _encode(fit(cv2.cvtColor(cut, cv2.COLOR_RGBA2BGRA)))}
    return layers


def _classes(record: Record, labels: np.ndarray) -> list[dict[str, Any]]:
    """Classes that are there, the largest first, with their share of the image."""
    names, palette = record.run.class_names, record.palette()
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    order = np.argsort(-counts)
    return [
        {
            'id': number,
            'name': part_title(names[number]) if number < len(names) else f'class {number}',
            'color': palette[number],
            'share': count / labels.size,
        }
        for number, count in zip(ids[order].tolist(), counts[order].tolist(), strict=True)
    ]


def _values(values: np.ndarray, unit: str) -> dict[str, Any]:
    """A map as 16 bits in the red and green of a picture; blue marks pixels without a value."""
    known = np.isfinite(values)
    low, high = (
        (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 1.0)
    )
    steps = np.zeros(values.shape, np.uint16)
    steps[known] = np.rint((values[known] - low) / max(high - low, 1e-9) * 65535)
    picture = np.stack([np.where(known, 0, 255), steps & 255, steps >> 8], -1).astype(np.uint8)
    return {'values': _encode(picture), 'low': low, 'high': high, 'unit': unit}


def _people(people: list[Person], names: list[str], scale: float) -> dict[str, Any]:
    """Keypoints in pixels of the picture, with names, colours, links, and the layer of each point."""
    table = load_goliath308()
    known = {point['name']: point for point in table['keypoints']}
    ids = {name: number for number, name in enumerate(names)}
    links = [
        [ids[a], ids[b], _css(link['color'])]
        for link in table['skeleton']
        for a, b in [link['link']]
        if a in ids and b in ids
    ]
    return {
        'names': names,
        'colors': [_css(known[n]['color']) if n in known else _PLAIN for n in names],
        'groups': [_layer_of(name, known.get(name)) for name in names],
        'links': links,
        'people': [
            {
                'box': (person.box * scale).round(2).tolist(),
                'track': person.track_id,
                'points': [
                    [round(x * scale, 2), round(y * scale, 2), round(score, 4)]
                    if np.isfinite(x)
                    else None
                    for (x, y), score in zip(
                        person.keypoints.tolist(), person.scores.tolist(), strict=True
                    )
                ],
            }
            for person in people
        ],
    }


def _layer_of(name: str, point: dict[str, Any] | None) -> str:
    group = point['group'] if point else ''
    if group == 'face' or name.startswith('face'):
        return 'face'
    return 'hands' if 'hand' in (group or name) else 'skeleton'


def _css(color: list[int]) -> str:
    return f'rgb({color[0]} {color[1]} {color[2]})'
