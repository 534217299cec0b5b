#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Look at this environment and machine: ``python tools/doctor.py``.

Names each known trap with its fix, and imports nothing of the suite, which would end on the very
environment to be examined. Exit code 0: nothing would fail; 1: something would. Warnings
(a feature that is missing, a limit that is near) do not count.
"""

import argparse
import sys

import _bootstrap  # noqa: F401  (puts the task folders on the path)


def main() -> int:
    """Run all checks and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', action='store_true', help='print a list of objects instead')
    args = parser.parse_args()
    import doctor_checks as doctor

    findings = []
    for finding in doctor.run_checks(doctor.CHECKS):
        findings.append(finding)
        if not args.json:
            print(doctor.to_text([finding]), flush=True)
    if args.json:
        print(doctor.to_json(findings))
    else:
        counts = [
            f'{sum(finding.status is status for finding in findings)} {status.value}'
            for status in doctor.Status
        ]
        print(', '.join(counts))
    return doctor.exit_code(findings)


if __name__ == '__main__':
    sys.exit(main())
