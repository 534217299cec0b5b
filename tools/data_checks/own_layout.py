# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoint metadata of a user's own layout: made from a COCO file, and validated.

The form is mmpose's ``dataset_info`` (``metainfo=dict(from_file=...)`` of a dataset).
"""

import math
import reprlib
from pathlib import Path
from pprint import pformat
from typing import Any

from mmengine.config import Config

from sapiens_common.files.text import read_json
from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_common.layouts.sides import SIDE_COLORS, mirrored_name, side_of

DEFAULT_SIGMA = 0.05
"""OKS fall-off of a keypoint nobody measured, relative to the person's scale; COCO's lie within 0.025
(eyes) and 0.107 (hips)."""


def read_category(path: str | Path, category: str | None = None) -> dict[str, Any]:
    """The category of a COCO file that has keypoints.

    Args:
        path: COCO-style JSON file.
        category: Its name; needed where several have keypoints.

    Raises:
        ValueError: No such file or category, several to choose from, or a bad definition; also an
            annotation with another number of keypoints.
    """
    content = read_json(path)
    categories = content.get('categories') if isinstance(content, dict) else None
    if not isinstance(categories, list) or not all(isinstance(item, dict) for item in categories):
        raise ValueError(f'{path}: expected a COCO JSON file with a list "categories"')
    choices = {str(item.get('name')): item for item in categories if item.get('keypoints')}
    if not choices:
        raise ValueError(
            f'{path}: no category has a list "keypoints" of names; add one, in the order of the '
            'annotations'
        )
    if (len(choices) > 1) if category is None else (category not in choices):
        raise ValueError(f'{path}: choose --category from {sorted(choices)}')
    chosen = choices[category] if category is not None else next(iter(choices.values()))
    _check_category(chosen, path)
    count = len(chosen['keypoints'])
    annotations = content.get('annotations', [])
    if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
        raise ValueError(f'{path}: "annotations" must be a list of objects')
    for annotation in annotations:
        values = annotation.get('keypoints')
        if not values or annotation.get('category_id') != chosen.get('id'):
            continue
        if not isinstance(values, list) or len(values) != 3 * count:
            found = f'{len(values)} values' if isinstance(values, list) else repr(values)
            raise ValueError(
                f'{path}: annotation {annotation.get("id")} has {found} in "keypoints", '
                f'expected 3 x {count} (x, y, visibility) as its category names {count} points'
            )
    return chosen


def _check_category(category: dict[str, Any], path: str | Path) -> None:
    """Check the kinds of a category's entries; :func:`make_metainfo` checks what they say."""
    names, links = category['keypoints'], category.get('skeleton') or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f'{path}: "keypoints" must be a list of names, got {reprlib.repr(names)}')
    pairs = links if isinstance(links, list) else [None]
    if not all(isinstance(pair, list) and set(map(type, pair)) <= {int} for pair in pairs):
        raise ValueError(
            f'{path}: "skeleton" must be a list of pairs of numbers, got {reprlib.repr(links)}'
        )


def make_metainfo(
    category: dict[str, Any],
    dataset_name: str,
    default_sigma: float = DEFAULT_SIGMA,
    allow_unpaired: bool = False,
) -> dict[str, Any]:
    """Metadata of a category: mirror partners from left and right in the names, sigmas, skeleton.

    Points that the 308-keypoint layout (and so COCO) knows by name take its partner (around eyes and
    lips they cross over, which names do not tell), its sigma, and its half of the body.

    Args:
        category: Entry of a COCO file's ``categories``: ``keypoints`` (names) and maybe ``skeleton``
            (pairs of 1-based numbers).
        dataset_name: Name for logs.
        default_sigma: For points that are not known by name.
        allow_unpaired: Accept a left point without a right one, which then mirrors onto itself.

    Raises:
        ValueError: Names twice, a point without its mirror partner, or links to points that do not
            exist.
    """
    names = [str(name) for name in category['keypoints']]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f'{dataset_name}: keypoint names stand twice: {doubled}')
    known = {point['name']: point for point in load_goliath308()['keypoints']}
    partners = {name: _partner(name, names, known) for name in names}
    unpaired = [name for name, partner in partners.items() if partner is None]
    if unpaired and not allow_unpaired:
        raise ValueError(
            f'{dataset_name}: these points have a side but no partner on the other: '
            f'{[f"{name} (no {mirrored_name(name)})" for name in unpaired]}. Flipping would teach the '
            'model a wrong point: rename them, or pass --allow-unpaired if they mirror onto themselves'
        )
    keypoints = {}
    for index, name in enumerate(names):
        partner = partners[name] or name
        keypoints[index] = {
            'name': name,
            'id': index,
            'color': list(SIDE_COLORS[side_of(name)]),
            'type': (known[name]['half'] or '') if name in known else '',
            'swap': partner if partner != name else '',
        }
    links = {}
    for index, pair in enumerate(category.get('skeleton') or []):
        if len(pair) != 2 or not all(1 <= number <= len(names) for number in pair):
            raise ValueError(
                f'{dataset_name}: skeleton link {pair}: expected two numbers from 1 to {len(names)} '
                '(COCO counts keypoints from 1)'
            )
        ends = tuple(names[number - 1] for number in pair)
        sides = {side_of(end) for end in ends} - {''}
        color = list(SIDE_COLORS[sides.pop() if len(sides) == 1 else ''])
        links[index] = {'link': ends, 'id': index, 'color': color}
    return {
        'dataset_name': dataset_name,
        'keypoint_info': keypoints,
        'skeleton_info': links,
        'joint_weights': [1.0] * len(names),
        'sigmas': [known[name]['sigma'] if name in known else default_sigma for name in names],
    }


def _partner(name: str, names: list[str], known: dict[str, dict]) -> str | None:
    """Mirror partner of a point, itself where it has none, None where it should have one."""
    swap = known.get(name, {}).get('swap')
    if swap in names:
        return swap
    return mirrored_name(name) if mirrored_name(name) in names else None


def find_metainfo_problems(info: dict[str, Any]) -> list[str]:
    """What is wrong with a layout, one text per problem; empty when it can be trained on."""
    missing = {'dataset_name', 'keypoint_info', 'skeleton_info', 'joint_weights', 'sigmas'} - set(
        info
    )
    if missing:
        return [f'missing keys {sorted(missing)}']
    problems = [
        f'{key}: must be a dict of dicts with {field!r}'
        for key, field in (('keypoint_info', 'name'), ('skeleton_info', 'link'))
        if not isinstance(info[key], dict)
        or not all(isinstance(entry, dict) and field in entry for entry in info[key].values())
    ]
    if problems:
        return problems
    points = info['keypoint_info']
    count = len(points)
    if list(points) != list(range(count)):
        problems.append(
            f'keypoint_info: keys must be 0 to {count - 1} in order, got {list(points)}'
        )
    names = [point['name'] for point in points.values()]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        problems.append(f'keypoint names stand twice: {doubled}')
    swaps = {point['name']: point.get('swap') or point['name'] for point in points.values()}
    for name, partner in swaps.items():
        if partner not in swaps:
            problems.append(f'{name}: swap {partner!r} is not a keypoint')
        elif swaps[partner] != name:
            problems.append(
                f'{name}: swaps with {partner}, but {partner} swaps with {swaps[partner]}: flipping '
                'twice must give the same points'
            )
        elif partner == name and mirrored_name(name) in swaps and mirrored_name(name) != name:
            problems.append(f'{name}: has no swap, though {mirrored_name(name)} exists')
    for key, link in info['skeleton_info'].items():
        strangers = [end for end in link['link'] if end not in swaps]
        if strangers or len(link['link']) != 2:
            problems.append(f'skeleton link {key} {tuple(link["link"])}: no keypoint {strangers}')
    for key, least in (('sigmas', 0.0), ('joint_weights', -math.inf)):
        values = info[key]
        if len(values) != count:
            problems.append(f'{key}: {len(values)} values for {count} keypoints')
        elif not all(isinstance(v, int | float) and math.isfinite(v) and v > least for v in values):
            kind = 'finite and positive' if least == 0 else 'finite'
            problems.append(f'{key}: values must be {kind} numbers')
    return problems


def read_metainfo(path: str | Path) -> dict[str, Any]:
    """The ``dataset_info`` of a metainfo file.

    Raises:
        ValueError: The file is missing or defines none.
    """
    if not Path(path).is_file():
        raise ValueError(f'metainfo file {path} does not exist')
    config = Config.fromfile(path, lazy_import=False)
    if 'dataset_info' not in config:
        raise ValueError(f'{path} does not define dataset_info, the name that mmpose reads')
    return config.dataset_info.to_dict()


def write_metainfo(info: dict[str, Any], path: str | Path, source: str) -> None:
    """Write a metainfo file for people to read and edit.

    Args:
        info: The layout.
        path: A ``.py`` file.
        source: Where it came from, for its first line.

    Raises:
        ValueError: Another suffix; the file exists, perhaps with your edits; it cannot be written.
    """
    path = Path(path)
    if path.suffix != '.py':
        raise ValueError(f'{path}: a metainfo file ends in .py')
    if path.exists():
        raise ValueError(
            f'{path} exists; edits in it would be lost. Delete it or write another file'
        )
    body = pformat(info, width=96, sort_dicts=False)
    text = f'# Keypoint layout made from {source}. Check swap and sigmas.\ndataset_info = {body}\n'
    try:
        path.write_text(text, encoding='utf-8')
    except OSError as error:
        raise ValueError(f'{path} cannot be written: {error}') from error
