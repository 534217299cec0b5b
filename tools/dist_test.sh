#!/usr/bin/env bash
# Evaluate on GPUS processes of this machine, or as one node of several: NNODES, NODE_RANK, MASTER_ADDR
# and PORT come from the environment.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [args of tools/test.py]" >&2
    echo "  several machines: NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 PORT=29500 bash tools/dist_test.sh ..." >&2
    exit 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"
torchrun_tool "$3" test.py "$1" "$2" --launcher pytorch "${@:4}"
