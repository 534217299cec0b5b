#!/usr/bin/env bash
# Install what is missing, then lint, check types and run the tests (slow end-to-end ones included).
# Arguments go to pytest: bash tools/run_tests.sh -m "not slow" tests/pose
#   SAPIENS_SAMPLES  folder with the sample photos (tests that need them skip with a reason without it)
#   SAPIENS_GOLDEN   folder with reference numbers (default tests/data/golden)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
bash tools/install.sh
export PATH="$root/.venv/bin:$PATH"
export NO_ALBUMENTATIONS_UPDATE=1

# The page is tested in a real browser, installed from the system's packages where that is possible.
if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "[tests] installing chromium"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
        >/dev/null 2>&1 || echo "[tests] chromium cannot be installed; the browser tests will be skipped"
fi

if [ $# -eq 0 ]; then
    echo "[tests] ruff"
    ruff check .
    ruff format --check .
    echo "[tests] mypy"
    mypy
    echo "[tests] codespell"
    git ls-files -z 2>/dev/null | xargs -0 -r codespell
fi
echo "[tests] pytest"
# A file stays in one process, for its fixtures; each process holds about 2 GB.
exec python -m pytest -n auto --maxprocesses 8 --dist loadfile --durations=10 "$@"
