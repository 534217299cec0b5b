#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoints, body parts, depth, normals, points, albedo and mattes of people in images, folders, videos and webcams.

    python tools/demo.py all photos/ --out out    # with the small model that comes with the suite
    python tools/demo.py pose photo.jpg --weights sapiens_1b/pose_goliath --out out
    python tools/demo.py all people.mp4 --weights pose=p.pth seg=s.pth depth=d.pth normal=n.pth --out out
    python tools/demo.py multitask photos/ --weights j.pth --model configs/multitask/sapiens_tiny_synthetic.py --out out

Results go to OUT/<task>; OUT/summary.json says what was done. Exit code: 0 when every input was
processed, 1 when some failed (the others are done) or --boxes names none of them, 2 when nothing could
start or the run had to stop, 130 after Ctrl-C.
"""

import argparse
import sys
from pathlib import Path

import _bootstrap  # noqa: F401  (puts the task folders on the path)

from sapiens_inference.loading import load_task, named_tasks, options_by_task, split_by_task
from sapiens_inference.tasks import DEFAULT_WEIGHTS, MULTITASK, TASKS

TASK_OPTIONS = ('keypoints', 'kpt_thr', 'flip_test', 'convention', 'background')
INTERRUPTED = 130  # what shells give a command that Ctrl-C ended


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('task', choices=[*TASKS, 'all', MULTITASK.name])
    parser.add_argument(
        'input', nargs='+', help='images, folders, globs, videos, .txt lists, or a webcam number'
    )
    parser.add_argument('--out', required=True, metavar='DIR', help='where results go')
    parser.add_argument(
        '--weights',
        nargs='+',
        metavar='[TASK=]FILE',
        help='checkpoint files or published names such as sapiens_1b/pose_goliath; with several '
        'tasks TASK=FILE each, or a size such as sapiens_1b for all; without, the small model that comes '
        'with the suite',
    )
    parser.add_argument(
        '--model',
        nargs='+',
        default=[],
        metavar='[TASK=]CONFIG',
        help='config files or names; without, the config is inferred from the checkpoint',
    )
    people = parser.add_argument_group('people')
    people.add_argument(
        '--boxes', help="JSON file of boxes, 'image' for the whole image, 'detector'"
    )
    people.add_argument(
        '--boxes-missing',
        default='skip',
        choices=['skip', 'whole', 'detector', 'error'],
        help='what happens to images that a file of boxes does not name (default: skip, no people)',
    )
    people.add_argument('--crops', action='store_true', help='run dense tasks person by person')
    people.add_argument('--det-model', metavar='CONFIG', help='config of any mmdet detector')
    people.add_argument('--det-weights', metavar='FILE', help='checkpoint of the detector')
    people.add_argument(
        '--det-category', type=int, default=0, help='class id of people (default: 0)'
    )
    people.add_argument('--bbox-thr', type=float, default=0.3, help='least box score')
    people.add_argument(
        '--nms-thr', type=float, default=0.3, help='IoU above which boxes are duplicates'
    )
    people.add_argument(
        '--mask',
        help="person mask of depth, normals, points and albedo: a folder or file, 'seg' (needs its weights), "
        "'none' (default: 'seg' for all where it is among them, else 'none')",
    )
    pose = parser.add_argument_group('pose')
    pose.add_argument(
        '--keypoints', nargs='+', help='308, 133, 17, groups (body face left_hand ...) or names'
    )
    pose.add_argument('--kpt-thr', type=float, help='least score of a point to draw (default: 0.3)')
    pose.add_argument(
        '--flip-test', action=argparse.BooleanOptionalAction, help='mirror and average'
    )
    pose.add_argument('--smooth', action='store_true', help='One-Euro filter over video frames')
    normals = parser.add_argument_group('normals')
    normals.add_argument(
        '--convention',
        choices=['opengl', 'opencv'],
        help='camera coordinates of the normals in files (default: opengl, Y up, Z to the camera)',
    )
    mattes = parser.add_argument_group('matting')
    mattes.add_argument(
        '--background',
        metavar='COLOUR|FILE',
        help='what pictures show behind the people: white, #rrggbb, a picture (default: green)',
    )
    run = parser.add_argument_group('running')
    run.add_argument('--batch-size', type=int, default=8)
    run.add_argument('--device', help='cuda, cuda:1, cpu, mps (default: the best there is)')
    run.add_argument(
        '--dtype',
        default='auto',
        choices=['auto', 'float32', 'float16', 'bfloat16'],
        help='auto: bfloat16 where the hardware has it, else float32',
    )
    run.add_argument('--compile', action='store_true', help='use torch.compile')
    run.add_argument('--workers', type=int, default=4, help='threads beside the model')
    run.add_argument('--no-draw', action='store_true', help='write data files only')
    run.add_argument(
        '--legend',
        action='store_true',
        help='wider pictures: with a legend, and depth and normals beside the photo',
    )
    run.add_argument('--save-frames', action='store_true', help='data files for every video frame')
    run.add_argument(
        '--max-bad-share',
        type=float,
        default=1.0,
        metavar='SHARE',
        help='stop when more of the inputs have failed (default: 1, never)',
    )
    run.add_argument(
        '--export',
        nargs='+',
        default=[],
        metavar='FORMAT',
        help='also write the results in other formats (python tools/export_results.py --list)',
    )
    run.add_argument(
        '--skip-existing',
        action='store_true',
        help='leave inputs alone whose results are there: continues a run that ended early',
    )
    run.add_argument('--quiet', action='store_true', help='no progress bar')
    return parser.parse_args(argv)


def build(args: argparse.Namespace) -> tuple[list, object]:
    """The inferencers of the run, and where person masks come from."""
    from mmengine.logging import MMLogger

    from sapiens_common.models.precision import parse_dtype
    from sapiens_inference.engine.models import pick_device
    from sapiens_pretrain.models.tuning import share_base

    dtype = args.dtype
    if dtype == 'auto':  # decided once for all models, and said
        dtype = parse_dtype(dtype, pick_device(args.device))
    MMLogger.get_current_instance().setLevel('WARNING')
    tasks = named_tasks(args.weights) if args.task == 'all' else [args.task]
    options = options_by_task({name: getattr(args, name) for name in TASK_OPTIONS}, tasks)
    if args.mask == 'none' and args.task == MULTITASK.name:
        print('note: --mask none does nothing: the model takes its own', file=sys.stderr)
    mask = args.mask or ('seg' if args.task == 'all' and 'seg' in tasks else 'none')
    weights = split_by_task(args.weights, [*tasks, *(['seg'] if mask == 'seg' else [])])
    models = split_by_task(args.model, tasks)
    common = {
        'device': args.device,
        'dtype': dtype,
        'compile': args.compile,
        'workers': args.workers,
    }

    def make(task: str) -> object:
        if task not in weights:
            raise ValueError(f'--weights names no checkpoint for {task}; add {task}=FILE')
        own = options.get(task, {})  # none of a segmentation that only gives the mask
        return load_task(task, weights[task], models.get(task), **common, **own)

    built = [make(task) for task in tasks]
    if len(built) > 1:
        share_base(*(task.loaded.model for task in built))
    if mask == 'none':
        return built, None
    if mask != 'seg':
        return built, mask
    parts = [part.task for task in built for part in task.parts()]
    return built, True if 'seg' in parts else make('seg')


def set_detector(args: argparse.Namespace, tasks: list) -> None:
    """Give the tasks the detector that the command line describes, if people must be found."""
    needed = args.crops or any(task.needs_boxes for task in tasks)
    if not needed or (args.boxes not in (None, 'detector') and args.boxes_missing != 'detector'):
        return
    from sapiens_det.person_detector import DEFAULT_MODEL, DEFAULT_WEIGHTS, PersonDetector

    detector = PersonDetector(
        args.det_model or DEFAULT_MODEL,
        args.det_weights or DEFAULT_WEIGHTS,
        device=args.device,
        score_thr=args.bbox_thr,
        nms_thr=args.nms_thr,
        category=args.det_category,
    )
    for task in tasks:
        task.detector = detector


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit code."""
    args = parse_args(argv)
    if args.weights is None:
        args.weights = [DEFAULT_WEIGHTS]
        args.task = MULTITASK.name if args.task == 'all' else args.task
    try:
        tasks, masks = build(args)
        set_detector(args, tasks)
        from sapiens_inference.engine.run import run_tasks
        from sapiens_inference.outputs.exports.registry import export_run, needs_frames

        args.save_frames |= needs_frames(args.export)
        single = args.input[0] if len(args.input) == 1 else args.input
        if isinstance(single, str) and single.isdecimal() and not Path(single).exists():
            single = int(single)
        summary = run_tasks(
            tasks,
            single,
            args.out,
            boxes=args.boxes,
            boxes_missing=args.boxes_missing,
            masks=masks,
            crops=args.crops or (False if args.task == 'all' else None),
            smooth=args.smooth,
            batch_size=args.batch_size,
            max_bad_share=args.max_bad_share,
            draw=not args.no_draw,
            legend=args.legend,
            save_frames=args.save_frames,
            skip_existing=args.skip_existing,
            progress=not args.quiet,
        )
        if args.export and (summary.done or summary.there_already):
            export_run(args.out, args.export, images=None if isinstance(single, int) else single)
    except (ValueError, ImportError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # while the models were loaded
        return INTERRUPTED
    print(f'{summary}\nresults in {args.out}')
    if summary.stopped and not isinstance(single, int):  # a webcam has no other end
        return INTERRUPTED
    if summary.no_boxes_fit:
        print(f'error: {args.boxes} names none of the inputs', file=sys.stderr)
    return 1 if summary.failed or summary.no_boxes_fit else 0


if __name__ == '__main__':
    sys.exit(main())
