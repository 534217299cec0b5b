#!/usr/bin/env bash
# Train on SLURM, one task per GPU. GPUS (total, default 8), GPUS_PER_NODE (8), CPUS_PER_TASK (8),
# SRUN_ARGS and MASTER_PORT come from the environment.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: [GPUS=16 GPUS_PER_NODE=8] bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [args of tools/train.py]" >&2
    exit 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"
slurm_tool "$1" "$2" train.py "${@:3}"
