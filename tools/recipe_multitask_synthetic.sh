#!/usr/bin/env bash
# Reproduce the weights that travel with the suite, sapiens_tiny/multitask_synthetic: render, train, write.
#   bash tools/recipe_multitask_synthetic.sh OUT [PROCESSES]     OUT/sapiens_tiny_multitask_synthetic.safetensors
# COUNT=9000 and EASY=600 images, FIRST=7000, SECOND=1200 and THIRD=400 iterations and SEED=0 of the
# training can be set; the bundled weights took two processes. docs/model_card.md says what to expect.
set -euo pipefail

out=$(realpath -m "${1:?usage: bash tools/recipe_multitask_synthetic.sh OUT [PROCESSES]}")
processes=${2:-1}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/_launch.sh # sets python
# One thread each: small layers gain nothing from more, and lose much on a busy machine.
export OMP_NUM_THREADS=1

"$python" tools/data/render_humans.py --preset photos --count "${COUNT:-9000}" --seed 1 --val-fraction 0.05 \
    --workers "$processes" --out "$out/data"
"$python" tools/data/render_humans.py --preset quickstart --count "${EASY:-600}" --workers "$processes" --out "$out/easy"

"$python" tools/data/select_upright.py "$out/data/annotations/person_keypoints_train.json" \
    "$out/data/annotations/upright.json" --lean 35 --facing --smallest 45

train() { # CONFIG NAME ITERATIONS OPTION...: continues a run that was stopped
    bash tools/dist_train.sh "configs/multitask/$1.py" "$processes" --work-dir "$out/$2" --resume --amp \
        --cfg-options data_root="$out/data" easy_root="$out/easy" max_iters="$3" randomness.seed="${SEED:-0}" "${@:4}"
}
# Keypoints alone, then all tasks but mattes, then these alone; on everybody, upright people twice, and the easy ones.
train sapiens_tiny_synthetic_pose pose "${FIRST:-7000}"
train sapiens_tiny_synthetic_bundled multitask "${SECOND:-1200}" first_stage="$(cat "$out/pose/last_checkpoint")"
train sapiens_tiny_synthetic_alpha alpha "${THIRD:-400}" first_stage="$(cat "$out/multitask/last_checkpoint")"

"$python" tools/convert/checkpoint.py "$(cat "$out/alpha/last_checkpoint")" \
    "$out/sapiens_tiny_multitask_synthetic.safetensors" --half
