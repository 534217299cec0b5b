# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Published names to files: which config, which checkpoint, and how to get it.

Meta's weights stand under their own licences and are never part of this suite. A file of theirs is looked
for in the folder ``$SAPIENS_WEIGHTS``, then in the cache of huggingface_hub, then on the hub. The small model
that was trained on this suite's own renders travels with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import torch
from mmengine.logging import MMLogger

ORIGINAL = 'original'
"""Format of the files that can be trained further; others are named after an @."""

_SHA256 = re.compile(r'[0-9a-f]{64}')


@dataclass(frozen=True)
class Published:
    """One published checkpoint.

    Attributes:
        name: Name in this suite, ``sapiens_<size>/<task>_<data>`` or ``sapiens2_<size>/<task>``.
        repo: Repository on the Hugging Face hub, or the package of this suite that carries the file.
        file: Path in the repository or package.
        licence: Terms of use: name, address, and what they prohibit where they list that.
        sha256: Checksum, where one is known.
        carried: Whether the file is part of this suite.
    """

    name: str
    repo: str
    file: str
    licence: str
    sha256: str | None = None
    carried: bool = False


@cache
def _table() -> dict[str, Any]:
    text = files('sapiens_common').joinpath('data/published_files.json').read_text('utf-8')
    return json.loads(text)


def published_names() -> list[str]:
    """All names that :func:`find_weights` knows, without formats."""
    return sorted(_table()['checkpoints'])


def is_published(name: str) -> bool:
    """Whether a name stands for published weights."""
    return name.partition('@')[0] in _table()['checkpoints']


def lookup(name: str) -> Published:
    """What is published under a name.

    Args:
        name: ``sapiens_1b/pose_goliath``, ``sapiens2_1b/pose``, or ``sapiens_1b/pose_goliath@torchscript``
            for the traced ("lite") file.

    Raises:
        ValueError: Unknown name or format; the text lists what there is.
    """
    base, _, kind = name.partition('@')
    kind = kind or ORIGINAL
    entry = _table()['checkpoints'].get(base)
    if entry is None:
        raise ValueError(
            f'{name!r} is neither a file nor a published name. Published: '
            f'{", ".join(published_names())}'
        )
    if kind not in entry:
        raise ValueError(
            f'{base} is not published as {kind!r}, only as {", ".join(sorted(entry))} (write '
            f'{base}@torchscript for the traced file)'
        )
    path, package = entry[kind]['file'], entry[kind].get('package')
    sha256 = _table()['sha256'].get(Path(path).name)
    if package:
        return Published(base, package, path, entry[kind]['licence'], sha256, carried=True)
    return Published(base, entry[kind]['repo'], path, _licence(base), sha256)


def _licence(base: str) -> str:
    """Terms of use of a published name, by the family that it belongs to."""
    terms = next(v for family, v in _table()['licences'].items() if base.startswith(family))
    text = f'{terms["name"]}, {terms["url"]}'
    prohibited = terms.get('prohibited')
    return text + (f'; prohibited uses: {"; ".join(prohibited)}' if prohibited else '')


def find_weights(weights: str | Path) -> Path:
    """The local file of a path, a URL or a published name; downloads it if need be.

    URLs are ``http://...``, ``https://...`` (kept in torch's cache of checkpoints) and
    ``hf://owner/repo/path[@revision]``. ``HF_ENDPOINT``, ``HF_HUB_OFFLINE`` and the cache settings of
    huggingface_hub and torch are respected.

    Raises:
        ValueError: No such file or name; the file cannot be downloaded (the text says which file to put
            where); or its checksum is wrong.
    """
    if '://' in str(weights):
        return _fetch(str(weights))
    if Path(weights).is_file():
        return Path(weights)
    if not is_published(str(weights)):
        if Path(weights).suffix or Path(weights).is_absolute():
            raise ValueError(f'weights {weights}: the file does not exist')
    entry = lookup(str(weights))
    if entry.carried:
        return Path(str(files(entry.repo).joinpath(entry.file)))
    folder = os.environ.get('SAPIENS_WEIGHTS')
    if folder:
        local = Path(folder).expanduser() / Path(entry.file).name
        if local.is_file():
            return local
    return _download(entry)


def _fetch(url: str) -> Path:
    """The local copy of what a URL names.

    Raises:
        ValueError: A kind of URL that is not read, or the file cannot be downloaded.
    """
    scheme, _, rest = url.partition('://')
    logger = MMLogger.get_current_instance()
    try:
        if scheme in ('http', 'https'):
            local = Path(torch.hub.get_dir(), 'checkpoints', rest.partition('?')[0].split('/')[-1])
            if not local.is_file():
                logger.warning(f'downloading {url} to {local}')
                local.parent.mkdir(parents=True, exist_ok=True)
                torch.hub.download_url_to_file(url, str(local))
            return local
        if scheme == 'hf' and rest.count('/') >= 2:
            from huggingface_hub import hf_hub_download

            owner, repo, path = rest.split('/', 2)
            path, _, revision = path.partition('@')
            endpoint = os.environ.get('HF_ENDPOINT') or None
            return Path(
                hf_hub_download(
                    f'{owner}/{repo}', path, revision=revision or None, endpoint=endpoint
                )
            )
    # Refused connections and HTTP errors are OSErrors; the hub's own may be ValueErrors.
    except (OSError, ValueError, ImportError) as error:
        raise ValueError(
            f'{url} cannot be downloaded ({_first_line(error)}); get it elsewhere and pass its path'
        ) from error
    raise ValueError(
        f'{url} is not a URL that weights are read from: expected http://..., https://... or '
        'hf://owner/repo/path[@revision]. Download it and pass its path'
    )


def _download(entry: Published) -> Path:
    """Fetch a file through huggingface_hub, with its progress bar and cache."""
    try:
        import huggingface_hub as hub
    except ImportError as error:
        raise ValueError(
            f'{entry.name}: downloads need huggingface_hub (pip install huggingface_hub). {_by_hand(entry)}'
        ) from error
    logger = MMLogger.get_current_instance()
    cached = hub.try_to_load_from_cache(entry.repo, entry.file)
    if isinstance(cached, str):
        return Path(cached)
    logger.warning(f'downloading {entry.name} from {entry.repo}; licence: {entry.licence}')
    # Read here and not at import: a notebook may set it later.
    endpoint = os.environ.get('HF_ENDPOINT') or None
    try:
        path = Path(hub.hf_hub_download(entry.repo, entry.file, endpoint=endpoint))
    except (hub.errors.HfHubHTTPError, OSError, ValueError) as error:
        raise ValueError(
            f'{entry.name}: cannot be downloaded ({_first_line(error)}). {_gate(error, entry)}'
            f'{_by_hand(entry)}'
        ) from error
    _verify(path, entry)
    return path


def sha256_of(file: str | Path | IO[bytes]) -> str:
    """SHA-256 of a file, given by its path or open, as hexadecimal digits."""
    if isinstance(file, (str, Path)):
        with open(file, 'rb') as opened:
            return sha256_of(opened)
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _verify(path: Path, entry: Published) -> None:
    """Compare a downloaded file with the checksum that the hub states, else with the recorded one.

    The cache names a large file by the checksum the hub stated for it.
    """
    blob = path.resolve().name
    expected = blob if _SHA256.fullmatch(blob) else entry.sha256
    if expected is None:
        return
    found = sha256_of(path)
    if found != expected:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise ValueError(
            f'{entry.name}: {path.name} has SHA-256 {found}, expected {expected}. The '
            'file was removed; download it again'
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().split('\n')[0] or type(error).__name__


def _gate(error: Exception, entry: Published) -> str:
    """What to do where the hub wants to know who asks."""
    found: BaseException | None = error
    while found is not None:  # the hub's client wraps some answers in an error of its own
        if getattr(getattr(found, 'response', None), 'status_code', None) in (401, 403):
            break
        found = found.__cause__
    else:
        return ''
    return (
        f'If the page https://huggingface.co/{entry.repo} asks for it, accept the licence there and log '
        'in with "hf auth login". '
    )


def _by_hand(entry: Published) -> str:
    """What to do without a network."""
    host = os.environ.get('HF_ENDPOINT') or 'https://huggingface.co'
    folder = os.environ.get('SAPIENS_WEIGHTS')
    place = f'in {folder}' if folder else 'in a folder that the variable SAPIENS_WEIGHTS names'
    return (
        f'Without network access, get {host}/{entry.repo}/resolve/main/{entry.file} elsewhere and '
        f'place it as {Path(entry.file).name} {place}, or pass its path as weights'
    )


def config_root() -> Path:
    """The folder ``configs`` beside this code: of the source tree it lies in, else of the installed suite."""
    beside = Path(__file__).resolve().parents[2] / 'configs'
    return beside if beside.is_dir() else Path(str(files('sapiens_configs')))


def find_config(model: str | Path) -> Path:
    """The config of a path or of a name such as ``sapiens_1b/pose_goliath``.

    The name ``sapiens_<size>/<task>_<data>`` means ``configs/<task>/sapiens_<size>_<data>.py``; names need
    not be published ones. Names of Sapiens2 may leave the data out: ``sapiens2_1b/pose`` is the recipe
    for what its weights were trained on. A path relative to the shipped ``configs`` folder works from anywhere.

    Raises:
        ValueError: There is no such config.
    """
    text = str(model)
    if Path(text).is_file():
        return Path(text)
    base = text.partition('@')[0]
    size, _, recipe = base.partition('/')
    task, _, data = recipe.partition('_')
    if size.startswith('sapiens2_') and not data:
        data = _table()['recipes'].get(task, '')
    root = config_root()
    candidates = [root / task / f'{size}_{data}.py', root / text.removeprefix('configs/')]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ValueError(
        f'model {text!r} is neither a config file nor a name such as "sapiens_1b/pose_goliath"; the '
        f'shipped configs are under {root}'
    )
