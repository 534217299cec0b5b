# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One file over HTTP: continued where it broke off, and of the size that the server states."""

import errno
import os
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple

from sapiens_common.progress import Progress

BLOCK = 1 << 20
TIMEOUT = 60  # seconds without a byte
ATTEMPTS = 5
PAUSE = 2.0  # seconds before the second attempt, doubled with each
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO)


class Remote(NamedTuple):
    """What a server says of a file: bytes, and a tag that changes with the content ('' for none)."""

    size: int
    tag: str


def look_up(url: str) -> Remote:
    """Ask a server for the size of a file.

    Raises:
        OSError: No answer, no such file, or no size.
    """
    with _open(urllib.request.Request(url, method='HEAD')) as answer:
        size = answer.headers.get('Content-Length')
        if size is None:
            raise OSError(f'{url}: the server does not state a size, so nothing can be checked')
        return Remote(int(size), answer.headers.get('ETag', ''))


def fetch(url: str, path: Path, remote: Remote) -> None:
    """Download a file to ``path``, which appears when it is whole; ``path.part`` is continued.

    Connections that break are tried again, ``ATTEMPTS`` times in a row without a new byte.

    Raises:
        OSError: The file does not come, or has another size than stated.
    """
    part, tag = path.with_name(f'{path.name}.part'), path.with_name(f'{path.name}.tag')
    stale = not tag.is_file() or tag.read_text('utf-8') != f'{remote.size} {remote.tag}'
    if stale or (part.is_file() and part.stat().st_size > remote.size):
        part.unlink(missing_ok=True)
    tag.write_text(f'{remote.size} {remote.tag}', 'utf-8')
    failures = 0
    with Progress(total=remote.size, unit='B', unit_scale=True, desc=path.name) as bar:
        while (have := _size(part)) < remote.size:
            reason = 'the connection ended'
            try:
                _append(url, part, have, remote, bar)
            except (OSError, HTTPException) as error:
                if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                    raise
                reason = str(error)
            failures = 0 if _size(part) > have else failures + 1
            if failures == ATTEMPTS:
                raise OSError(
                    f'{url}: {reason}; {_size(part)} of {remote.size} bytes are kept in {part}, the '
                    'same command continues'
                )
            if failures:
                time.sleep(PAUSE * 2 ** (failures - 1))
    if (size := _size(part)) != remote.size:
        part.unlink()
        raise OSError(f'{url}: got {size} bytes, the server had stated {remote.size}; try again')
    os.replace(part, path)
    tag.unlink()


def _append(url: str, part: Path, have: int, remote: Remote, bar: Progress) -> None:
    """Add what comes to a file that has its first ``have`` bytes."""
    bar.n = have
    headers = {'Range': f'bytes={have}-'} if have else {}
    if have and remote.tag:
        headers['If-Range'] = remote.tag
    with _open(urllib.request.Request(url, headers=headers)) as answer:
        if answer.status != 206:  # the server starts at the beginning
            have = bar.n = 0
        with part.open('ab' if have else 'wb') as file:
            while block := answer.read(BLOCK):
                file.write(block)
                bar.update(len(block))


def _open(request: urllib.request.Request) -> HTTPResponse:
    """An answer of the server.

    Raises:
        OSError: It is an error, with the address in its text.
    """
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        raise OSError(
            f'{request.full_url}: the server answers {error.code} {error.reason}'
        ) from error
    except urllib.error.URLError as error:
        raise OSError(f'{request.full_url}: {error.reason}') from error


def _size(path: Path) -> int:
    """Bytes of a file that may not exist."""
    return path.stat().st_size if path.is_file() else 0
