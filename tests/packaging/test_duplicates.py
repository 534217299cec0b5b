# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""No block of code stands in three places: the second copy may be chance, the third wants a home.

The leaves of configs are left out: each joins a size card and a recipe, in the same few lines.
"""

import ast
from collections import defaultdict

BLOCK = 8
"""Lines of code, imports, comments and docstrings not counted."""


def code_lines(text):
    """(number, text) of the lines that say something: no imports, comments, docstrings, brackets alone."""
    silent = set()
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            silent.update(range(node.lineno, node.end_lineno + 1))
    return [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if number not in silent and any(c.isalnum() for c in line.split('#')[0])
    ]


def find_copies(files, block=BLOCK, least=3):
    """Blocks that stand in at least so many places: lists of ``name:line``.

    Args:
        files: Texts of Python files by name.
    """
    places = defaultdict(list)
    for name, text in files.items():
        lines = code_lines(text)
        for start in range(len(lines) - block + 1):
            key = '\n'.join(line for _, line in lines[start : start + block])
            places[key].append(f'{name}:{lines[start][0]}')
    return [found for found in places.values() if len(found) >= least]


def test_copies_are_found_whatever_stands_between_their_lines():
    lines = [f'value_{number} = call({number})' for number in range(BLOCK)]
    files = {
        'a.py': '\n'.join(lines),
        'b.py': '"""Another file."""\n\nimport os\n' + '\n\n# a comment\n'.join(lines),
        'c.py': 'def inside():\n' + '\n'.join(f'    {line}' for line in lines),
        'd.py': '\n'.join(lines[:-1]),
    }
    assert find_copies(files) == [['a.py:1', 'b.py:4', 'c.py:2']]
    del files['b.py']
    assert find_copies(files) == []


def test_no_block_stands_in_three_places(root):
    packages = [path.parent.name for path in sorted(root.glob('*/sapiens_*'))]
    files = {
        str(path.relative_to(root)): path.read_text(encoding='utf-8')
        for folder in (*packages, 'tools', 'tests', 'configs')
        for path in sorted((root / folder).rglob('*.py'))
        if folder != 'configs' or '_base_' in path.parts
    }
    assert len(files) > 200
    copies = find_copies(files)
    assert not copies, 'give each of these blocks one home:\n' + '\n'.join(map(', '.join, copies))
