#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens in the browser, on this machine: ``python tools/web_demo.py``.

Without ``--weights`` the small model that comes with the suite is used, offline. ``--weights sapiens_1b`` takes the
published models of that size, ``--weights pose=p.pth seg=s.pth`` files of your own.
"""

import argparse
import os
import signal
import sys

import _bootstrap  # noqa: F401  (puts the task folders on the path)


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--weights', nargs='+', default=[], metavar='[TASK=]NAME_OR_FILE')
    parser.add_argument('--model', nargs='+', default=[], metavar='TASK=CONFIG')
    parser.add_argument('--device', help='cuda, cpu, mps (default: the best there is)')
    parser.add_argument(
        '--dtype', default='auto', choices=['auto', 'float32', 'float16', 'bfloat16']
    )
    parser.add_argument('--port', type=int, default=7860)
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='0.0.0.0 lets others in; the default is this machine alone',
    )
    limits = parser.add_argument_group('limits')
    limits.add_argument('--max-files', type=int, default=20, help='files of one request')
    limits.add_argument('--max-megabytes', type=int, default=200, help='of one file')
    limits.add_argument('--max-megapixels', type=int, default=40, help='of one photo')
    limits.add_argument('--max-frames', type=int, default=1800, help='of one video')
    limits.add_argument('--max-waiting', type=int, default=16, help='requests in the queue')
    args = parser.parse_args(argv)
    try:
        from sapiens_inference.web.jobs import Limits, Workplace

        place = Workplace()
        os.environ['GRADIO_TEMP_DIR'] = str(place.root / 'uploads')
        from sapiens_inference.tasks import DEFAULT_WEIGHTS
        from sapiens_inference.web.page import STYLE, build_page, theme
        from sapiens_inference.web.shelf import ModelShelf
    except ImportError as error:
        print(f'error: {error}; the page needs: pip install gradio', file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # which removes the files, as Ctrl-C does
    bounds = Limits(
        files=args.max_files,
        megabytes=args.max_megabytes,
        megapixels=args.max_megapixels,
        frames=args.max_frames,
        waiting=args.max_waiting,
    )
    try:
        shelf = ModelShelf(args.weights or [DEFAULT_WEIGHTS], args.model, args.device, args.dtype)
        page = build_page(shelf, place, bounds)
        _, address, _ = page.launch(
            server_name=args.host,
            server_port=args.port,
            share=False,
            max_file_size=f'{args.max_megabytes}mb',
            allowed_paths=[str(place.root)],
            theme=theme(),
            css=STYLE,
            footer_links=[],
            ssr_mode=False,
            enable_monitoring=False,
            prevent_thread_lock=True,
            quiet=True,
        )
        print(f'The page is at {address} until Ctrl-C.', flush=True)
        shelf.warm_up()  # while the visitor looks for a photo
        page.block_thread()
    except (KeyboardInterrupt, SystemExit):
        pass
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    finally:
        place.close()
    # Python would wait for the threads of a run under way, which would write again what has been removed.
    os._exit(0)


if __name__ == '__main__':
    sys.exit(main())
