# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What README, docs and recipes show can be typed: each tool accepts its command lines, imports resolve."""

import argparse
import ast
import importlib
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
from commands import COMMANDS

from sapiens_common.weights import find_config

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
BLOCK = re.compile(r'^( *)```(bash|python)\n(.*?)^\1```', re.MULTILINE | re.DOTALL)
OURS = ('sapiens_', 'runs')


class ParsedError(Exception):
    """The tool has accepted its command line."""


def blocks(language):
    """(page:line, text) of all blocks in a language."""
    for page in PAGES:
        text = page.read_text('utf-8')
        for match in BLOCK.finditer(text):
            if match[2] == language:
                line = text[: match.start()].count('\n') + 1
                lines = [row.removeprefix(match[1]) for row in match[3].splitlines()]
                yield f'{page.name}:{line}', '\n'.join(lines)


def headers():
    """(recipe, text) of the commands in the head of each recipe."""
    for path in sorted((ROOT / 'configs').rglob('*.py')):
        text = re.sub(r'\\\n# *', '', path.read_text('utf-8'))
        rows = re.findall(r'^#   ?((?:bash|python) tools/.*)', text, re.MULTILINE)
        yield f'{path.parent.name}/{path.name}', '\n'.join(rows)


def commands():
    """(place, words) of each command that runs one of the tools."""
    for place, text in [*blocks('bash'), *headers()]:
        for row in text.replace('\\\n', ' ').splitlines():
            words = shlex.split(row, comments=True)
            while words and re.match(r'[A-Z_]+=', words[0]):  # variables of the environment
                words = words[1:]
            for end in ('&&', '||', '|', ';', '>'):
                words = words[: words.index(end)] if end in words else words
            if words and words[0] in COMMANDS:
                yield place, [f'tools/{COMMANDS[words[0]]}', *words[1:]]
            elif words[:1] in (['python'], ['bash']) and words[1].startswith('tools/'):
                yield place, words[1:]


@pytest.mark.parametrize(
    'words', [pytest.param(words, id=f'{place}-{words[0]}') for place, words in commands()]
)
def test_a_command_is_accepted_by_its_tool(words, monkeypatch, capsys):
    tool, *arguments = words
    assert (ROOT / tool).is_file(), tool
    if tool in ('tools/dist_train.sh', 'tools/dist_test.sh'):  # the number of processes comes last
        tool = tool.replace('dist_', '').replace('.sh', '.py')
        del arguments[2 if tool.endswith('test.py') else 1]
    for argument in arguments:
        if argument.startswith('configs/') and argument.endswith('.py'):
            find_config(argument)
    if tool.endswith('.sh'):
        return
    original = argparse.ArgumentParser.parse_args

    def parse(parser, *args, **kwargs):
        original(parser, *args, **kwargs)
        raise ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', parse)
    monkeypatch.setattr(sys, 'argv', [tool, *arguments])
    monkeypatch.syspath_prepend(str((ROOT / tool).parent))
    try:
        runpy.run_path(str(ROOT / tool), run_name='__main__')
    except ParsedError:
        return
    except SystemExit:
        pytest.fail(capsys.readouterr().err)
    pytest.fail(f'{tool} did not parse its command line')


@pytest.mark.parametrize(
    'block', [pytest.param(text, id=place) for place, text in blocks('python')]
)
def test_what_a_block_imports_is_there(block):
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(OURS):
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), f'{node.module} has no {name.name}'
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.startswith(OURS):
                    importlib.import_module(name.name)
