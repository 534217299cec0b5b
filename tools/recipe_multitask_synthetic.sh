#!/usr/bin/env bash
# Reproduce the weights that travel with the suite, sapiens_tiny/multitask_synthetic: render, train, write.
#   bash tools/recipe_multitask_synthetic.sh OUT [PROCESSES]     OUT/sapiens_tiny_multitask_synthetic.safetensors
# COUNT=9000 and EASY=600 images, the iterations of the six runs, STEPS="7000 1200 2400 1220 600 400", and SEED=0 of the training
# can be set, the second and fifth beyond their warm-up of 50; the bundled weights took two processes. docs/model_card.md says what to expect.
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
# On everybody, upright people who face the camera again, and the easy ones. First on small crops, of which a CPU sees twice as
# many in the same time: keypoints alone, then all tasks but mattes.
read -r -a steps <<< "${STEPS:-7000 1200 2400 1220 600 400}"
small=('size=(128,96)' upright_times=1)
after() { echo "first_stage=$(cat "$out/$1/last_checkpoint")"; }
train sapiens_tiny_synthetic_pose pose_small "${steps[0]}" "${small[@]}"
train sapiens_tiny_synthetic_bundled multitask_small "${steps[1]}" "${small[@]}" "$(after pose_small)"

# Then on crops of the model's own size: keypoints alone, to the end with a falling rate and windows that are varied less;
# all tasks but mattes; and mattes.
calm=('window.scale=(0.9,1.15)' window.shift=0.05)
train sapiens_tiny_synthetic_pose pose "${steps[2]}" "$(after multitask_small)"
train sapiens_tiny_synthetic_pose pose_calm "${steps[3]}" warmup=20 decay=$((steps[3] - 20)) "${calm[@]}" "$(after pose)"
train sapiens_tiny_synthetic_bundled multitask "${steps[4]}" lr=4e-4 "${calm[@]}" "$(after pose_calm)"
train sapiens_tiny_synthetic_alpha alpha "${steps[5]}" "$(after multitask)"

"$python" tools/convert/checkpoint.py "$(cat "$out/alpha/last_checkpoint")" \
    "$out/sapiens_tiny_multitask_synthetic.safetensors" --half
