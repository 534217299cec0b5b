# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Results of a run in the formats that other tools read, from the files that the run has written.

Each format is a function registered by name. To add one::

    from sapiens_inference.outputs.exports import register_export

    @register_export('my_format', needs=('pose',))
    def write_my_format(run, out):
        ...
        return [path]
"""

from .registry import EXPORTS, Export, check_formats, export_run, register_export
from .run_folder import Person, Record, RunFolder

__all__ = [
    'EXPORTS',
    'Export',
    'Person',
    'Record',
    'RunFolder',
    'check_formats',
    'export_run',
    'register_export',
]
