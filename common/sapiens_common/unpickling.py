# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading a file of ``torch.save`` without running any code of it, with every torch since 2.1.

``torch.load(weights_only=True)`` cannot be told of further classes before torch 2.4, and refuses a
whole file for one unknown class in its metadata. Here, what only rebuilds data is rebuilt, every
other object becomes an inert :class:`LeftOut`, and nothing is ever imported or called by name.
"""

import pickle
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path, PosixPath, PurePosixPath
from pickle import UnpicklingError
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer

# A file that names one of these is refused whole: no trainer stores them, attacks do.
_ATTACKS = frozenset(
    'asyncio bdb code commands ctypes importlib multiprocessing nt os pickle posix pty runpy shutil '
    'socket subprocess sys timeit webbrowser'.split()
)
_BUILTIN_ATTACKS = frozenset(
    '__import__ breakpoint compile delattr eval exec getattr globals input locals open setattr '
    'vars'.split()
)
_TORCH_GLOBALS: dict[str, Any] = {
    f'{function.__module__}.{function.__name__}': function
    for function in (
        torch._utils._rebuild_tensor,
        torch._utils._rebuild_tensor_v2,
        torch._utils._rebuild_parameter,
        torch._utils._rebuild_qtensor,
    )
}
_TORCH_GLOBALS |= {
    'torch.Size': torch.Size,
    'torch.device': torch.device,
    **{str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)},
    **{
        f'torch.{name}': getattr(torch, name)
        for name in ('per_tensor_affine', 'per_channel_affine')
    },
}
# What may receive a state; on anything else (a class, say) a state would change the program.
_STATEFUL = (np.ndarray, np.dtype, OrderedDict, HistoryBuffer, Config)


@cache
def data_globals() -> dict[str, Any]:
    """What checkpoints of mmengine hold beside tensors: names in their pickles to what rebuilds it.

    The message hub (``HistoryBuffer``), metainfo and configs (``ConfigDict`` where a dictionary of a
    config was handed on), NumPy scalars and arrays, plain containers. None of it runs code of a file.
    """
    # NumPy 1 and 2 pickle the same functions under different names, and a file written by either
    # must be readable. The pickle opcodes of an array name them.
    reconstruct, scalar = np.zeros(1).__reduce__()[0], np.float64(0).__reduce__()[0]
    from_buffer = np.zeros(1).__reduce_ex__(5)[0]
    found: dict[str, Any] = {
        'builtins.getattr': _history_statistic,
        '_codecs.encode': _encode_latin1,  # bytes, in pickles of protocol 2
        'collections.defaultdict': _dict_without_default,  # torch fills no other dictionaries
        'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
        'mmengine.config.config.ConfigDict': ConfigDict,
        'mmengine.config.config.Config': Config,
        'addict.addict.Dict': ConfigDict,
        'numpy.ndarray': np.ndarray,
        'numpy.dtype': np.dtype,
    }
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        found |= {f'{module}._reconstruct': reconstruct, f'{module}.scalar': scalar}
    for module in ('numpy.core.numeric', 'numpy._core.numeric'):
        found[f'{module}._frombuffer'] = from_buffer
    kinds: list[type] = [type(np.dtype(code)) for code in '?bBhHiIlLqQefdgFDOSUV']
    kinds += [bool, bytearray, bytes, complex, dict, float, frozenset, int, list, range, set, slice]
    kinds += [str, tuple, PurePosixPath, PosixPath, Counter, OrderedDict, date, datetime, timedelta]
    for kind in kinds:
        # Newer versions of Python say pathlib._local; files say what the version that wrote them did.
        module = 'pathlib' if kind.__module__.startswith('pathlib') else kind.__module__
        found[f'{module}.{kind.__name__}'] = kind
    return found


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Stand-in for ``codecs.encode`` in a checkpoint: only how protocol 2 writes bytes."""
    if encoding != 'latin1':
        raise UnpicklingError(f'bytes in the encoding {encoding!r} are not data')
    return text.encode('latin1')


def _dict_without_default(*_factory: Any) -> dict:
    """Stand-in for ``defaultdict``: its entries."""
    return {}


def _history_statistic(owner: type, name: str) -> Callable:
    """Stand-in for ``getattr`` in a checkpoint: only the statistics a message hub's buffer lists."""
    # The class's table of statistics is empty until the first instance fills it.
    methods = HistoryBuffer()._statistics_methods
    if owner is not HistoryBuffer or name not in methods:
        raise UnpicklingError(f'getattr({owner!r}, {name!r}) is not data')
    return methods[name]


class LeftOut:
    """Stands for an object of a class that is not known to be data: accepts everything, does nothing."""

    origin = ''

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Accept any arguments."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> 'LeftOut':
        """Accept any arguments."""
        return object.__new__(cls)

    def _ignore(self, *_args: Any, **_kwargs: Any) -> None:
        """Accept what a pickle does to an object it builds."""

    __setstate__ = append = extend = add = __setitem__ = _ignore


_PythonUnpickler: Any = pickle._Unpickler  # typed as the one in C, which has other members


class DataUnpickler(_PythonUnpickler):
    """Python's unpickler, which finds data alone and gives states to data alone.

    The implementation in Python is used because its opcodes can be restricted, as torch does.
    """

    dispatch = dict(_PythonUnpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the file stands for.

        Raises:
            UnpicklingError: The name is one that attacks use.
        """
        # As Python's own method does: protocol 2 writes the names of Python 2.
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f'{module}.{name}'
        known = data_globals().get(full, _TORCH_GLOBALS.get(full))
        if known is not None:
            return known
        if module.split('.')[0] in _ATTACKS or (
            module in ('builtins', 'io') and name in _BUILTIN_ATTACKS
        ):
            raise UnpicklingError(f'it asks for a call of {full}')
        return type('LeftOut', (LeftOut,), {'origin': full})

    def load_build(self) -> None:
        """Give an object its state.

        Raises:
            UnpicklingError: The object is not one that has a state to be given.
        """
        target = self.stack[-2]
        if not isinstance(target, (LeftOut, *_STATEFUL)):
            raise UnpicklingError(f'it changes the state of {target!r}')
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build


def _load(file: Any, **options: Any) -> Any:
    return DataUnpickler(file, **options).load()


_PICKLE_MODULE = SimpleNamespace(
    __name__='sapiens_common.unpickling', Unpickler=DataUnpickler, load=_load
)


def load_data(path: str | Path, mmap: bool = False) -> tuple[Any, dict[str, str]]:
    """Read a file of ``torch.save`` to CPU tensors.

    Args:
        path: The file; not a TorchScript archive, which ``torch.load`` would hand to its interpreter.
        mmap: Map the tensors instead of reading them.

    Returns:
        The content, and what was left out of it: places such as ``meta.author`` to class names. The
        nearest entry of a dictionary around an unknown object is left out whole.

    Raises:
        UnpicklingError: The file asks for a call that only attacks need, or unknown objects are all it
            holds.
    """
    content = torch.load(
        str(path),  # older versions map nothing else
        map_location='cpu',
        weights_only=False,
        pickle_module=_PICKLE_MODULE,
        **({'mmap': True} if mmap else {}),
    )
    left_out: dict[str, str] = {}
    unknown = _without_unknown(content, '', left_out)
    if unknown:
        raise UnpicklingError(f'it is an object of {unknown}')
    return content, left_out


def _without_unknown(value: Any, place: str, left_out: dict[str, str]) -> str:
    """Take unknown objects out of dictionaries, in place; the class of one that is in no dictionary."""
    if isinstance(value, LeftOut):
        return value.origin
    if isinstance(value, type) and issubclass(value, LeftOut):
        return value.origin
    if isinstance(value, dict):
        for key in list(value):
            where = f'{place}.{key}' if place else str(key)
            origin = _without_unknown(key, where, left_out)
            origin = origin or _without_unknown(value[key], where, left_out)
            if origin:
                left_out[where if isinstance(key, str) else place] = origin
                del value[key]
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            if origin := _without_unknown(item, place, left_out):
                return origin
    elif isinstance(value, np.ndarray) and value.dtype == object:
        return _without_unknown(value.tolist(), place, left_out)
    elif isinstance(value, Config):
        return _without_unknown(value._cfg_dict, place, left_out)
    return ''
