#!/usr/bin/env bash
# Install the tested environment into .venv: torch, the OpenMMLab libraries and this suite with its
# tests. Idempotent: what is there already is kept. Needs Python 3.10+ and a C++ compiler.
#   PYTHON       interpreter to build .venv from (default python3)
#   SAPIENS_CACHE  folder of built wheels (default ~/.cache/sapiens-openmmlab)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
constraints=$root/tools/constraints.txt
python=${PYTHON:-python3}

say() { printf '\n[install] %s\n' "$*"; }
pinned() { grep -E "^$1==" "$constraints" | tr -d '\r'; }

command -v "$python" >/dev/null || { echo "[install] $python not found: install Python 3.10 or newer" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    { echo "[install] $("$python" --version) is too old: Python 3.10 or newer is needed (set PYTHON)" >&2; exit 1; }

# The stamp holds everything the environment depends on; equal stamps mean nothing to do.
stamp=$(cat "$constraints" "$root/setup.py" "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$venv/.sapiens-stamp" 2>/dev/null)" = "$stamp" ]; then
    say "environment is up to date: $venv"
    exit 0
fi

if [ ! -x "$venv/bin/python" ]; then
    say "creating $venv"
    "$python" -m venv "$venv"
fi
if [ ! -x "$venv/bin/uv" ]; then
    say "installing uv, a fast installer"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$(pinned uv)"
fi
install() { "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --constraint "$constraints" "$@"; }

say "installing torch and the build tools (about 3 GB to download the first time)"
install torch torchvision numpy setuptools pip wheel ninja cython psutil packaging

tag=$("$venv/bin/python" -c 'import sys, torch; print(f"cp{sys.version_info[0]}{sys.version_info[1]}-torch{torch.__version__}")')
cache=${SAPIENS_CACHE:-$HOME/.cache/sapiens-openmmlab}/wheels/$tag
mkdir -p "$cache"

# build NAME NOTE: a wheel of NAME compiled against this torch and numpy, from the cache if it is there.
build() {
    local spec name version
    spec=$(pinned "$1")
    name=${spec%%==*}
    version=${spec##*==}
    if ! compgen -G "$cache/$name-$version-*.whl" >/dev/null; then
        command -v c++ >/dev/null || { echo "[install] no C++ compiler: install g++ (or clang)" >&2; exit 1; }
        say "building $spec from source: $2. It is cached in $cache"
        # Without build isolation, so that the extension is compiled against the installed torch; without
        # a cache, so that a wheel built elsewhere (perhaps with no ops) is never picked up.
        (cd "$cache" && MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(nproc)} "$venv/bin/python" -m pip wheel "$spec" \
            --no-deps --no-build-isolation --no-binary "$name" --no-cache-dir --wheel-dir "$cache.partial" \
            --disable-pip-version-check --progress-bar off)
        mv "$cache.partial"/*.whl "$cache/"
        rmdir "$cache.partial"
    fi
    install --no-deps "$cache/$name-$version"-*.whl
}
build xtcocotools "half a minute"
build mmcv "6 to 12 minutes on two cores"

say "installing the OpenMMLab libraries, this suite (editable) and the tools for tests"
# mmpose requires chumpy, which does not build under current Python and which no code of mmpose uses.
override=$(mktemp)
trap 'rm -f "$override"' EXIT
echo "chumpy; python_version < '3'" >"$override"
install --override "$override" --no-build-isolation --editable "$root[test]"

"$venv/bin/python" -c 'import mmcv.ops, mmdet.models, mmpose.models, mmseg.models' ||
    { echo "[install] the OpenMMLab libraries do not import; run $venv/bin/python tools/doctor.py" >&2; exit 1; }
echo "$stamp" >"$venv/.sapiens-stamp"
say "done: source $venv/bin/activate"
