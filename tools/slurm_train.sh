#!/usr/bin/env bash
# Submit tools/train.py to SLURM, one task per GPU. GPUS (total, default 8), GPUS_PER_NODE (8),
# CPUS_PER_TASK (8), SRUN_ARGS and MASTER_PORT come from the environment.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: [GPUS=16 GPUS_PER_NODE=8] bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [args of tools/train.py]" >&2
    exit 2
fi

partition=$1
job_name=$2
shift 2
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
per_node=$((per_node < gpus ? per_node : gpus))
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-$here/../.venv/bin/python}
[ -x "$python" ] || python=python

# SRUN_ARGS is a list of options on purpose, so it is not quoted.
# shellcheck disable=SC2086
exec srun -p "$partition" --job-name="$job_name" --gres="gpu:$per_node" --ntasks="$gpus" \
    --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} "$python" -u "$here/train.py" "$@" --launcher slurm
