#!/usr/bin/env bash
# Reproduce the weights that travel with the suite, sapiens_tiny/multitask_synthetic: render, train, write.
#   bash tools/recipe_multitask_synthetic.sh OUT [PROCESSES]     OUT/sapiens_tiny_multitask_synthetic.safetensors
# COUNT=3000 images and FIRST=2750, UPRIGHT=950, SECOND=1500 iterations can be set. docs/model_card.md says what to expect.
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

people=$out/data/annotations/person_keypoints_train.json
"$python" tools/data/select_upright.py "$people" "$out/data/annotations/upright.json" --lean 35 --facing --smallest 45
"$python" tools/data/select_upright.py "$people" "$out/data/annotations/most.json" --lean 75

train() { # CONFIG NAME ITERATIONS OPTION...: continues a run that was stopped
    bash tools/dist_train.sh "configs/multitask/$1.py" "$processes" --work-dir "$out/$2" --resume --amp \
        --cfg-options data_root="$out/data" max_iters="$3" "${@:4}"
}
# Keypoints alone: all people, then the upright ones, whom small models need to leave the average pose behind.
train sapiens_tiny_synthetic_pose pose "${FIRST:-2750}"
train sapiens_tiny_synthetic_pose upright "${UPRIGHT:-950}" train_ann_file=annotations/upright.json \
    first_stage="$(cat "$out/pose/last_checkpoint")" \
    window.rotate_prob=0 window.half_prob=0
# All tasks, on everyone but those who lie or bow.
train sapiens_tiny_synthetic multitask "${SECOND:-1500}" first_stage="$(cat "$out/upright/last_checkpoint")" \
    train_ann_file=annotations/most.json

"$python" tools/convert/checkpoint.py "$(cat "$out/multitask/last_checkpoint")" \
    "$out/sapiens_tiny_multitask_synthetic.safetensors" --half
