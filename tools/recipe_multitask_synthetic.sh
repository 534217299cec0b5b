#!/usr/bin/env bash
# Reproduce the weights that travel with the suite, sapiens_tiny/multitask_synthetic: render, train, write.
#   bash tools/recipe_multitask_synthetic.sh OUT [PROCESSES]     OUT/sapiens_tiny_multitask_synthetic.safetensors
# COUNT=3000 images, FIRST=4800 and SECOND=1300 iterations can be set; docs/model_card.md says what to expect.
set -euo pipefail

out=$(realpath -m "${1:?usage: bash tools/recipe_multitask_synthetic.sh OUT [PROCESSES]}")
processes=${2:-2}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-.venv/bin/python}
[ -x "$python" ] || python=python
# One thread each: small layers gain nothing from more, and lose much on a busy machine.
export OMP_NUM_THREADS=1

"$python" tools/data/render_humans.py --preset photos --count "${COUNT:-3000}" --seed 1 --val-fraction 0.05 \
    --workers "$processes" --out "$out/data"

train() { # CONFIG NAME ITERATIONS [OPTIONS]
    bash tools/dist_train.sh "configs/multitask/$1.py" "$processes" --work-dir "$out/$2" --resume --amp \
        --cfg-options data_root="$out/data" max_iters="$3" "${@:4}"
}
train sapiens_tiny_synthetic_pose pose "${FIRST:-4800}"
train sapiens_tiny_synthetic multitask "${SECOND:-1300}" load_from="$(cat "$out/pose/last_checkpoint")"

"$python" tools/convert/checkpoint.py "$(cat "$out/multitask/last_checkpoint")" \
    "$out/sapiens_tiny_multitask_synthetic.safetensors" --half
