#!/usr/bin/env bash
# Train on GPUS processes of this machine, or as one node of several: NNODES, NODE_RANK, MASTER_ADDR
# and PORT come from the environment.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: bash tools/dist_train.sh CONFIG GPUS [args of tools/train.py]" >&2
    echo "  several machines: NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 PORT=29500 bash tools/dist_train.sh ..." >&2
    exit 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"
torchrun_tool "$2" train.py "$1" --launcher pytorch "${@:3}"
