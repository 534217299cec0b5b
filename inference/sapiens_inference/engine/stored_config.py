# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The config that a checkpoint carries, read without running it.

MMEngine stores a config as Python text, and its own reader executes that text. A checkpoint comes from
anywhere, so here only literals and calls of ``dict`` are understood.
"""

from __future__ import annotations

import ast
import math
from typing import Any

from mmengine.config import Config

_NAMES = {'inf': math.inf, 'nan': math.nan}
_CALLS = {'dict': dict, 'list': list, 'tuple': tuple, 'set': set}


def read_stored_config(text: str, source: str) -> Config:
    """A config from the text that MMEngine's runner writes into checkpoints (``meta['cfg']``).

    Args:
        text: Assignments of plain values.
        source: The checkpoint, for messages and as the config's file name.

    Raises:
        ValueError: The text holds anything else, such as an import or a call.
    """
    content = {}
    try:
        for node in ast.parse(text).body:
            if not isinstance(node, ast.Assign) or len(node.targets) != 1:
                raise ValueError(f'line {node.lineno} is not an assignment')
            (target,) = node.targets
            if not isinstance(target, ast.Name):
                raise ValueError(f'line {node.lineno} assigns to something other than a name')
            content[target.id] = _value(node.value)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ValueError(
            f'{source}: the config in this checkpoint is not plain data ({error}); it is not executed. '
            'Name the config as the model'
        ) from error
    return Config(content, cfg_text=text, filename=source)


def _value(node: ast.expr) -> Any:
    """The value of an expression of literals and ``dict(...)``.

    Raises:
        ValueError: It is of another kind.
    """
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_value(k): _value(v) for k, v in zip(node.keys, node.values, strict=True) if k}
    if isinstance(node, ast.List):
        return [_value(entry) for entry in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(entry) for entry in node.elts)
    if isinstance(node, ast.Set):
        return {_value(entry) for entry in node.elts}
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        named = {entry.arg: _value(entry.value) for entry in node.keywords if entry.arg}
        if len(named) == len(node.keywords):
            return _CALLS[node.func.id](*(_value(entry) for entry in node.args), **named)
    if isinstance(node, ast.Constant):
        return node.value
    raise ValueError(f'line {node.lineno} holds {ast.unparse(node):.60}')
