#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""How well a model does on photographs, beside what costs nothing.

Keypoints and foreground on the people of a COCO file, whose boxes are given; depth, normals and mattes on SynthHuman:

    python tools/benchmarks/real.py sapiens_tiny/multitask_synthetic --annotations COCO.json --images DIR
    python tools/benchmarks/real.py CONFIG CHECKPOINT --annotations COCO.json --images DIR --json figures.json
    python tools/benchmarks/real.py CONFIG CHECKPOINT --synthhuman DIR
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap

TRUTH = {'depth': 'depth', 'normal': 'normal', 'matting': 'alpha'}
"""What SynthHuman has for a task, which is also the name of the array of the task's result."""


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', help='name or config of a model of any of these tasks')
    parser.add_argument('weights', nargs='?', help='checkpoint; default: the published one')
    parser.add_argument('--annotations', help='COCO file with 17 keypoints per person')
    parser.add_argument('--images', help='folder of its images')
    parser.add_argument('--only', nargs='+', metavar='STEM', help='these images alone')
    parser.add_argument('--synthhuman', help='folder of SynthHuman samples (rgb_*.png, ...)')
    parser.add_argument('--json', metavar='FILE', help='also write the figures here')
    parser.add_argument('--device', default=None)
    parser.add_argument('--batch-size', type=int, default=16)
    args = parser.parse_args(arguments)
    if bool(args.annotations) != bool(args.images) or not (args.annotations or args.synthhuman):
        parser.error('give --annotations with --images, or --synthhuman, or all three')
    return args


def build(args: argparse.Namespace) -> Any:
    """The inferencer of the model's kind."""
    from mmengine.config import Config

    from sapiens_common.weights import find_config
    from sapiens_inference.outputs.deployment import task_of
    from sapiens_inference.tasks import MULTITASK, find_task

    config = Config.fromfile(find_config(args.model))
    task = MULTITASK if 'tasks' in config.model else find_task(task_of(config))
    return task.load()(args.model, args.weights, device=args.device, dtype='float32')


def to_coco(keypoints: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """COCO's points (N, 17, 3) out of 17, 133 or 308 predicted ones (N, K, 2)."""
    order: Any = slice(0, 17)
    if keypoints.shape[1] == 308:
        from benchmarks.photo_metrics import JOINTS

        from sapiens_common.layouts.goliath308 import load_goliath308

        ids = {point['name']: point['id'] for point in load_goliath308()['keypoints']}
        order = [ids[name] for name in JOINTS]
    elif keypoints.shape[1] not in (17, 133):
        raise ValueError(
            f'the model predicts {keypoints.shape[1]} keypoints; COCO points can be taken from 17, 133 and 308'
        )
    return np.concatenate([keypoints[:, order], scores[:, order, None]], -1)


def measure_people(inferencer: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Keypoints and foreground on the people of a COCO file."""
    from benchmarks.photo_metrics import Overlap, Person, person_mask

    from sapiens_common.files.text import read_json

    data = read_json(args.annotations)
    by_image = people_by_image(data)
    images = [
        image
        for image in data['images']
        if image['id'] in by_image and (not args.only or Path(image['file_name']).stem in args.only)
    ]
    boxes = [[xyxy(a['bbox']) for a in by_image[image['id']]] for image in images]
    paths = [str(Path(args.images) / image['file_name']) for image in images]
    results = inferencer(paths, boxes=boxes, batch_size=args.batch_size, **box_options(inferencer))
    people: list[Person] = []
    overlaps: dict[str, Overlap] = {}
    for image, own, result in zip(images, boxes, results, strict=True):
        if not result.ok:
            raise ValueError(f'{image["file_name"]}: {result.error}')
        annotations = by_image[image['id']]
        pose = result.by_task()['pose']
        points = to_coco(pose.keypoints, pose.scores)
        for annotation, box, found in zip(annotations, own, points, strict=True):
            truth = np.reshape(annotation['keypoints'], (17, 3)).astype(float)
            people.append(Person(np.array(box, float), truth, found.astype(float), annotation))
        shape = image['height'], image['width']
        masks = [person_mask(annotation, *shape) for annotation in annotations]
        if all(mask is not None for mask in masks):
            inside = np.zeros(shape, bool)
            for x1, y1, x2, y2 in own:
                inside[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = True
            truth_mask = np.logical_or.reduce(masks)
            found_by = {'iou': result.person_mask(), 'filled_boxes_iou': inside}
            if 'matting' in result.by_task():
                found_by['alpha_iou'] = result.by_task()['matting'].person_mask()
            for name, mask in found_by.items():
                if mask is not None:
                    overlaps.setdefault(name, Overlap()).add(mask, truth_mask, inside)
    return _people_figures(people, overlaps)


def _people_figures(people: list, overlaps: dict[str, Any]) -> dict[str, Any]:
    from benchmarks.photo_metrics import average_precision, mean_pose, pck

    means = [type(p)(p.box, p.points, mean_pose(p.box), p.annotation) for p in people]
    figures: dict[str, Any] = {**pck(people), 'ap': average_precision(people)}
    trivial = pck(means)
    figures['average_pose'] = {
        **{key: value for key, value in trivial.items() if key.startswith('pck')},
        'ap': average_precision(means),
    }
    if 'iou' in overlaps:
        figures['foreground'] = {name: overlap.iou for name, overlap in overlaps.items()}
    return figures


def measure_maps(inferencer: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Those of depth, normals and mattes that the model has, on SynthHuman samples, each person in the box
    of its mask.

    Raises:
        ValueError: The model has none of them.
    """
    import torch
    from mmengine.registry import DefaultScope

    from sapiens_depth_normal.datasets import SynthHumanDataset
    from sapiens_depth_normal.evaluation import (
        AlphaMatteMetric,
        HumanDepthMetric,
        HumanNormalMetric,
    )

    tasks = {part.task for part in inferencer.parts()}
    metrics = {
        name: metric()
        for name, metric in (
            ('depth', HumanDepthMetric),
            ('normal', HumanNormalMetric),
            ('matting', AlphaMatteMetric),
        )
        if name in tasks
    }
    if not metrics:
        raise ValueError(
            f'{args.model} predicts {", ".join(sorted(tasks))}; --synthhuman has depth, normals and mattes'
        )
    with DefaultScope.overwrite_default_scope('mmseg'):
        data = SynthHumanDataset(
            targets=['depth', 'normal', 'alpha'],
            data_root=args.synthhuman,
            pipeline=[{'type': 'sapiens_depth_normal.LoadMaps'}],
        )
    for item in data:
        mask = item['mask'] > 0
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        (result,) = inferencer([item['img']], boxes=[[box]], crops=True)
        if not result.ok:
            raise ValueError(f'{item["img_path"]}: {result.error}')
        fields = {'gt_mask': mask}
        for name in metrics:
            found = result.by_task()[name]
            fields[f'gt_{TRUTH[name]}_map'] = item[f'gt_{TRUTH[name]}_map']
            # Nothing is predicted off the crop, where the mask does not ask for it and alpha is 0.
            fields[f'pred_{name}_map'] = np.nan_to_num(getattr(found, TRUTH[name]))
        sample: dict[str, Any] = {
            name: {'data': torch.from_numpy(np.atleast_3d(values).transpose(2, 0, 1).copy())}
            for name, values in fields.items()
        }
        sample.update(img_path=item['img_path'], framing=item.get('framing', 'all'))
        for metric in metrics.values():
            metric.process({}, [sample])
    return {name: dict(metric.evaluate(len(data))) for name, metric in metrics.items()}


def box_options(inferencer: Any) -> dict[str, Any]:
    """Options that make a model that could take the whole image take boxes."""
    return {} if inferencer.needs_boxes else {'crops': True}


def people_by_image(data: dict[str, Any]) -> dict[int, list[dict]]:
    """Annotations of single people of a COCO file, by the image's id."""
    people: dict[int, list[dict]] = {}
    for annotation in data['annotations']:
        if annotation.get('category_id', 1) == 1 and not annotation.get('iscrowd'):
            people.setdefault(annotation['image_id'], []).append(annotation)
    return people


def xyxy(box: list[float]) -> list[float]:
    """A box's corners from COCO's x, y, width, height; at least one pixel large."""
    x, y, width, height = box
    return [x, y, x + max(width, 1), y + max(height, 1)]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    args = parse_args(arguments)
    inferencer = build(args)
    figures: dict[str, Any] = {}
    if args.annotations:
        figures.update(measure_people(inferencer, args))
        print_people(figures)
    if args.synthhuman:
        figures['synthhuman'] = measure_maps(inferencer, args)
        print_maps(figures['synthhuman'])
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1) + '\n', encoding='utf-8')
    return 0


def print_maps(figures: dict[str, dict[str, float]]) -> None:
    """The main figures of depth, normals and mattes; the file has all."""
    values = {key: value for found in figures.values() for key, value in found.items()}
    for title, ours, trivial in (
        ('depth RMSE, fitted [m]', 'depth/aligned_rmse', 'depth/mean_depth/aligned_rmse'),
        ('depth AbsRel, fitted', 'depth/aligned_abs_rel', 'depth/mean_depth/aligned_abs_rel'),
        ('normals, mean [deg]', 'normal/mean', 'normal/camera_facing/mean'),
        ('normals, median [deg]', 'normal/median', 'normal/camera_facing/median'),
        ('alpha SAD [1000]', 'matting/whole_sad', 'matting/mean_alpha/whole_sad'),
        ('alpha MSE', 'matting/whole_mse', 'matting/mean_alpha/whole_mse'),
    ):
        if ours in values:
            print(f'{title:24} {values[ours]:8.4f}, trivial {values[trivial]:8.4f}')


def print_people(figures: dict[str, Any]) -> None:
    """Tables of the keypoints and the foreground."""
    trivial = figures['average_pose']
    print(f'{figures["people"]} people, {figures["points"]} points, boxes given')
    print(f'{"":16}{"model":>8}{"average pose":>14}')
    for key in ('pck@0.05', 'pck@0.1', 'pck@0.2', 'ap'):
        print(f'{key:16}{figures[key]:8.3f}{trivial[key]:14.3f}')
    for name, values in figures['joints'].items():
        print(f'{name:16}' + ''.join(f'{value:8.3f}' for value in values.values()))
    if 'foreground' in figures:
        overlap = figures['foreground']
        alpha = f' (by alpha {overlap["alpha_iou"]:.3f})' if 'alpha_iou' in overlap else ''
        print(f'foreground IoU in the boxes {overlap["iou"]:.3f}{alpha}, boxes filled '
              f'{overlap["filled_boxes_iou"]:.3f}')  # fmt: skip


if __name__ == '__main__':
    _bootstrap.run(main)
