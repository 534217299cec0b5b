# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Console scripts of an installed suite: ``sapiens-train CONFIG`` is ``python tools/train.py CONFIG``."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

COMMANDS = {
    'sapiens-train': 'train.py',
    'sapiens-test': 'test.py',
    'sapiens-demo': 'demo.py',
    'sapiens-annotate': 'annotate.py',
    'sapiens-doctor': 'doctor.py',
    'sapiens-benchmark': 'benchmark.py',
    'sapiens-features': 'extract_features.py',
    'sapiens-export-results': 'export_results.py',
    'sapiens-export-model': 'convert/export.py',
    'sapiens-convert': 'convert/checkpoint.py',
    'sapiens-check-data': 'data/check_dataset.py',
    'sapiens-render': 'data/render_humans.py',
}
"""Names of the scripts to the tools they run; setup.py installs these."""


def main() -> None:
    """Run the tool that the name of the running script stands for."""
    path = Path(__file__).resolve().parent / COMMANDS[Path(sys.argv[0]).stem]
    # The tools import what lies beside them; Python adds their folder for a script.
    sys.path[:0] = [str(Path(__file__).resolve().parent), str(path.parent)]
    import _bootstrap

    spec = spec_from_file_location(f'sapiens_tools.{path.stem}', path)
    assert spec is not None and spec.loader is not None
    tool = module_from_spec(spec)
    sys.modules[spec.name] = tool  # dataclasses look there
    spec.loader.exec_module(tool)
    _bootstrap.run(tool.main)
