#!/usr/bin/env bash
# Run tools/test.py on GPUS processes of this machine (gloo on the CPU when there is no GPU), or as
# one node of several: NNODES, NODE_RANK, MASTER_ADDR and PORT come from the environment.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [args of tools/test.py]" >&2
    echo "  several machines: NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 PORT=29500 bash tools/dist_test.sh ..." >&2
    exit 2
fi

config=$1
checkpoint=$2
gpus=$3
shift 3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The environment that tools/install.sh made, else the caller's.
python=${PYTHON:-$here/../.venv/bin/python}
[ -x "$python" ] || python=python
[ $# -gt 0 ] || set -- # "$@" stays valid under set -u when no further argument was given

if [ "${NNODES:-1}" -gt 1 ]; then
    rendezvous=(--nnodes "$NNODES" --node_rank "${NODE_RANK:?set NODE_RANK}"
        --master_addr "${MASTER_ADDR:?set MASTER_ADDR}" --master_port "${PORT:-29500}")
else
    rendezvous=(--standalone) # a free port of this machine
fi
# One thread per process where the user asked for no number: torchrun's own default.
exec "$python" -m torch.distributed.run "${rendezvous[@]}" --nproc_per_node "$gpus" \
    "$here/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
