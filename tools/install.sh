#!/usr/bin/env bash
# Install the tested environment into .venv: torch, the OpenMMLab libraries and this suite with its
# tests. Idempotent: what is there already is kept. Needs Python 3.10 to 3.12 and a C++ compiler.
#   --minimal      inference alone: no packages for pretraining, rendering, export, tests or documentation
#   PYTHON         interpreter to build .venv from (default: the first of 3.10 to 3.12 that is found)
#   SAPIENS_CACHE  folder of built wheels (default ~/.cache/sapiens-openmmlab)
#   TORCH_INDEX    package index of torch, such as https://download.pytorch.org/whl/cpu (default PyPI)
#   MMCV_INDEX     page or folder of ready mmcv wheels (default OpenMMLab's); without a match mmcv is compiled
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
constraints=$root/tools/constraints.txt

say() { printf '\n[install] %s\n' "$*"; }
fail() { printf '[install] %s\n' "$*" >&2; exit 1; }
extras=test
case ${1:-} in
    '') ;;
    --minimal) extras=inference,pose,seg,depth-normal,det ;;
    *) fail "unknown option $1; there is --minimal" ;;
esac
version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# mmcv 2.1.0 does not build on Python 3.13, torch needs 3.10; 3.11 is where every version was pinned.
python=
for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.10}; do
    case $(version "$candidate") in 3.10 | 3.11 | 3.12) python=$candidate && break ;; esac
done
[ -n "$python" ] || fail "Python 3.10, 3.11 or 3.12 is needed, found ${PYTHON:-python3} $(version "${PYTHON:-python3}"); set PYTHON=/path/to/python3.11"

# The stamp holds everything the environment depends on; equal stamps mean nothing to do.
stamp=$extras-$(cat "$constraints" "$root/setup.py" "$root/common/sapiens_common/data/version_windows.json" "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$venv/.sapiens-stamp" 2>/dev/null)" = "$stamp" ]; then
    say "environment is up to date: $venv"
    exit 0
fi

if [ ! -x "$venv/bin/python" ]; then
    say "creating $venv"
    "$python" -m venv "$venv"
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ "$(version "$venv/bin/python")" != 3.11 ]; then
    # Only what must match each other is pinned here; the rest follows the ranges of setup.py.
    grep -E '^(torch|torchvision|setuptools|mm[a-z]+|xtcocotools|uv|ruff|mypy|codespell)==' "$constraints" >"$scratch/core.txt"
    constraints=$scratch/core.txt
fi
# "name==version" of a library, as pinned.
pinned() { grep -E "^$1==" "$constraints"; }
if [ ! -x "$venv/bin/uv" ]; then
    say "installing uv, a fast installer"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$(pinned uv)"
fi
install() { "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --constraint "$constraints" "$@"; }

say "installing torch and the build tools (about 3 GB to download the first time)"
torch_index=()
[ -z "${TORCH_INDEX:-}" ] || torch_index=(--index "$TORCH_INDEX" --index-strategy unsafe-best-match)
install ${torch_index[@]+"${torch_index[@]}"} torch torchvision numpy setuptools pip wheel ninja cython psutil packaging

tag=$("$venv/bin/python" -c 'import sys, torch; print(f"cp{sys.version_info[0]}{sys.version_info[1]}-torch{torch.__version__}")')
cache=${SAPIENS_CACHE:-$HOME/.cache/sapiens-openmmlab}/wheels/$tag
mkdir -p "$cache"

# build NAME NOTE [PATCH]: a wheel of NAME compiled against this torch and numpy, from the cache if it is
# there. PATCH, a command, is run in the folder of the source first, and the version gets "+sapiens".
build() {
    local spec name wanted source
    spec=$(pinned "$1")
    name=${spec%%==*}
    wanted=${spec##*==}
    [ -z "${3:-}" ] || wanted=$wanted+sapiens
    if ! compgen -G "$cache/$name-$wanted-*.whl" >/dev/null && [ "$name" = mmcv ] &&
        "$venv/bin/python" "$root/tools/_mmcv_wheel.py" "$spec" "$cache"; then
        say "found a ready wheel of $spec"
    fi
    if ! compgen -G "$cache/$name-$wanted-*.whl" >/dev/null; then
        command -v c++ >/dev/null || fail "no C++ compiler: install g++ (or clang)"
        say "building $spec from source: $2. It is cached in $cache"
        source=$spec
        if [ -n "${3:-}" ]; then
            "$venv/bin/python" -m pip download "$spec" --no-deps --no-build-isolation --no-binary "$name" \
                --dest "$scratch" --disable-pip-version-check --quiet
            tar -xzf "$scratch"/"$name"-*.tar.gz -C "$scratch"
            source=$scratch/${spec/==/-}
            (cd "$source" && "$3")
        fi
        # Without build isolation, so that the extension is compiled against the installed torch; without
        # a cache, so that a wheel built elsewhere (perhaps with no ops) is never picked up.
        (cd "$cache" && MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(nproc)} "$venv/bin/python" -m pip wheel "$source" \
            --no-deps --no-build-isolation --no-binary "$name" --no-cache-dir --wheel-dir "$cache.partial" \
            --disable-pip-version-check --progress-bar off)
        mv "$cache.partial"/*.whl "$cache/"
        rmdir "$cache.partial"
    fi
    install --no-deps "$cache/$name-$wanted"-*.whl
}
# numpy 2.4 dropped the old name of a flag, which decoding a mask asks for; the new one is as old as numpy 1.7.
patch_xtcocotools() {
    sed -i 's/np\.NPY_OWNDATA/np.NPY_ARRAY_OWNDATA/' xtcocotools/_mask.pyx
    sed -i "s/^__version__ = .*/__version__ = '$wanted'/" xtcocotools/version.py
}
build xtcocotools "half a minute" patch_xtcocotools
build mmcv "6 to 12 minutes on two cores"

say "installing the OpenMMLab libraries and this suite (editable, with $extras)"
# mmpose requires chumpy, which does not build under current Python and which no code of mmpose uses.
echo "chumpy; python_version < '3'" >"$scratch/override.txt"
# botocore, under s3fs, asks for python-dateutil below 3 and reads dates with 4 as well.
echo "python-dateutil>=2.8" >>"$scratch/override.txt"
install --override "$scratch/override.txt" --no-build-isolation --editable "$root[$extras]"

"$venv/bin/python" -c 'import mmcv.ops, mmdet.models, mmpose.models, mmseg.models' ||
    fail "the OpenMMLab libraries do not import; run $venv/bin/python tools/doctor.py"
echo "$stamp" >"$venv/.sapiens-stamp"
say "done: source $venv/bin/activate"
