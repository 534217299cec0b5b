# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Looks at an environment and names each known trap with its fix; needs none of the libraries."""

from doctor_checks.libraries import LIBRARY_CHECKS
from doctor_checks.machine import MACHINE_CHECKS
from doctor_checks.report import Finding, Status, exit_code, run_checks, to_json, to_text

CHECKS = (*LIBRARY_CHECKS, *MACHINE_CHECKS)

__all__ = ['CHECKS', 'Finding', 'Status', 'exit_code', 'run_checks', 'to_json', 'to_text']
