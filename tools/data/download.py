#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Download a public data set that comes without a form (docs/public_data.md lists all sets).

``python tools/data/download.py synthhuman --chunks 0-3 --out data/synthhuman`` looks at the free disk,
shows the licence and asks for your agreement, then fetches and unpacks zip after zip. The same command
continues a run that was stopped.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap
from data_downloads.chunks import Plan, gigabytes, parse_chunks
from data_downloads.sources import SOURCES, Source


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', choices=sorted(SOURCES))
    parser.add_argument('--out', required=True, help='folder for the files; may be begun already')
    parser.add_argument('--chunks', default='all', help="zip files: 'all', '3', '0-3' or '0-3,7'")
    parser.add_argument('--dry-run', action='store_true', help='say what would be done, and stop')
    parser.add_argument('--accept-licence', action='store_true', help='agree without being asked')
    parser.add_argument('--keep-zips', action='store_true', help='leave them in OUT/.chunks')
    parser.add_argument('--base-url', help='folder of the zip files on a mirror')
    return parser.parse_args()


def agree(source: Source) -> None:
    """Show the licence and ask.

    Raises:
        ValueError: The user does not agree, or cannot be asked.
    """
    print(f'{source.title}\n{source.home}\n\n{source.licence_text()}\n')
    try:
        answer = input(f'Do you accept {source.licence}? Type yes: ')
    except EOFError:
        raise ValueError('nobody can be asked here; --accept-licence accepts the licence') from None
    if answer.strip().lower() != 'yes':
        raise ValueError('the licence was not accepted; nothing was downloaded')


def main() -> None:
    """Plan, ask, download."""
    args = parse_args()
    source = SOURCES[args.data]
    plan = Plan(source, parse_chunks(args.chunks, source.chunks), Path(args.out), args.base_url)
    print(
        f'{args.data}: {len(plan.remotes)} of {source.chunks} zip files to fetch, '
        f'{len(plan.done)} asked for are done; download {gigabytes(plan.download_bytes)}, '
        f'disk needed {gigabytes(plan.disk_bytes)}; licence {source.licence}'
    )
    for name, remote in plan.remotes.items():
        print(f'  {plan.url}/{name}  {gigabytes(remote.size)}')
    if not plan.remotes:
        return
    plan.check_disk()
    if args.dry_run:
        return
    if not args.accept_licence:
        agree(source)
    plan.run(args.keep_zips)
    print(f'{args.out}: done')


if __name__ == '__main__':
    _bootstrap.run(main)
