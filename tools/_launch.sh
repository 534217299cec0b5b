# Sourced by the launchers and recipes: what training and testing have in common.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The environment that tools/install.sh made, else the caller's. PYTHON is what install.sh builds it from.
python=$here/../.venv/bin/python
[ -x "$python" ] || python=python
python=${SAPIENS_PYTHON:-$python}

# torchrun_tool GPUS TOOL ARGS...: GPUS processes here (gloo on the CPU when there is no GPU), as one
# node of NNODES.
torchrun_tool() {
    local gpus=$1 tool=$2
    shift 2
    local rendezvous=(--standalone) # a free port of this machine
    if [ "${NNODES:-1}" -gt 1 ]; then
        rendezvous=(--nnodes "$NNODES" --node_rank "${NODE_RANK:?set NODE_RANK}"
            --master_addr "${MASTER_ADDR:?set MASTER_ADDR}" --master_port "${PORT:-29500}")
    fi
    exec "$python" -m torch.distributed.run "${rendezvous[@]}" --nproc_per_node "$gpus" "$here/$tool" "$@"
}

# slurm_tool PARTITION JOB_NAME TOOL ARGS...: one SLURM task per GPU.
slurm_tool() {
    local partition=$1 job_name=$2 tool=$3 gpus=${GPUS:-8} per_node=${GPUS_PER_NODE:-8}
    shift 3
    per_node=$((per_node < gpus ? per_node : gpus))
    # SRUN_ARGS is a list of options on purpose, so it is not quoted.
    # shellcheck disable=SC2086
    exec srun -p "$partition" --job-name="$job_name" --gres="gpu:$per_node" --ntasks="$gpus" \
        --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} "$python" -u "$here/$tool" "$@" --launcher slurm
}
