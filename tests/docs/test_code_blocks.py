# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What README, docs and recipes show can be typed: each tool accepts its command lines."""

import argparse
import re
import runpy
import shlex
import sys

import pytest
from commands import COMMANDS
from docs_pages import ROOT, blocks

from sapiens_common.weights import find_config


class ParsedError(Exception):
    """The tool has accepted its command line."""


def headers():
    """(recipe, text) of the commands in the head of each recipe."""
    for path in sorted((ROOT / 'configs').rglob('*.py')):
        text = re.sub(r'\\\n# *', '', path.read_text('utf-8'))
        rows = re.findall(r'^#   ?((?:bash|python) tools/.*)', text, re.MULTILINE)
        yield f'{path.parent.name}/{path.name}', '\n'.join(rows)


def commands():
    """(place, words) of each command that runs one of the tools."""
    pages = [(f'{page}:{line}', text) for page, line, text in blocks('bash')]
    for place, text in [*pages, *headers()]:
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
