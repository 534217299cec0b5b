# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The code blocks of README and docs."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r'^( *)```(bash|python)\n(.*?)^\1```', re.MULTILINE | re.DOTALL)


def blocks(language):
    """(page, line, text) of all blocks in a language, without their indent."""
    for page in (ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))):
        text = page.read_text('utf-8')
        for match in BLOCK.finditer(text):
            if match[2] == language:
                rows = [row.removeprefix(match[1]) for row in match[3].splitlines()]
                yield page.name, text[: match.start()].count('\n') + 1, '\n'.join(rows)
