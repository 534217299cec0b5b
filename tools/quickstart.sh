#!/usr/bin/env bash
# From a fresh machine to a trained pose model and pictures: install, data, train, evaluate, draw.
#   bash tools/quickstart.sh                 people rendered here, 308 keypoints
#   bash tools/quickstart.sh --data DIR      your COCO-style folder: DIR/annotations/person_keypoints_train2017.json
#                                            and _val2017.json (17 keypoints), DIR/train2017/, DIR/val2017/
# Options: --out DIR (default quickstart), --gpus N (processes; default all GPUs, else 2), --epochs N,
#          --count N (rendered images). Running it again continues where it was stopped.
set -euo pipefail

usage() { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
data=
out=$root/quickstart
gpus=
epochs=
count=600
while [ $# -gt 0 ]; do
    case $1 in
        --data) data=$(realpath "${2:?--data needs a folder}") && shift 2 ;;
        --out) out=$(realpath -m "${2:?--out needs a folder}") && shift 2 ;;
        --gpus) gpus=${2:?--gpus needs a number} && shift 2 ;;
        --epochs) epochs=${2:?--epochs needs a number} && shift 2 ;;
        --count) count=${2:?--count needs a number} && shift 2 ;;
        -h | --help) usage && exit 0 ;;
        *) echo "unknown option $1" >&2 && usage >&2 && exit 2 ;;
    esac
done
say() { printf '\n[quickstart] %s\n' "$*"; }
if [ -n "$data" ] && [ ! -f "$data/annotations/person_keypoints_train2017.json" ]; then
    echo "[quickstart] $data/annotations/person_keypoints_train2017.json does not exist. --data takes a COCO-style" >&2
    echo "folder; other layouts and keypoint sets: docs/pose.md. Without --data, people are rendered instead." >&2
    exit 1
fi

cd "$root"
bash tools/install.sh
export PATH="$root/.venv/bin:$PATH" NO_ALBUMENTATIONS_UPDATE=1
started=$SECONDS
if [ -z "$gpus" ]; then
    gpus=$(python -c 'import torch; print(torch.cuda.device_count() or 2)')
fi

box=sapiens_tiny/multitask_synthetic # the weights that travel with the suite
if [ -n "$data" ]; then
    rendered=
    config=configs/pose/sapiens_tiny_coco.py
    images=$data/val2017
    # Without a detector's boxes, evaluation uses the annotated ones. The encoder is that of the bundled model.
    options=(data_root="$data" val_dataloader.dataset.bbox_file=None test_dataloader.dataset.bbox_file=None
        model.backbone.type=sapiens_pretrain.ConvStemViT model.backbone.init_cfg.type=Pretrained
        model.backbone.init_cfg.checkpoint="$box")
else
    rendered=1
    config=configs/pose/sapiens_tiny_synthetic_from_bundled.py
    data=$out/data
    images=$data/images
    options=(data_root="$data")
    say "1/5 rendering $count people with 308 keypoints, part labels, depth and normals to $data"
    workers=$(python -c 'import os; print(min(os.cpu_count(), 8))')
    python tools/data/render_humans.py --preset quickstart --count "$count" --out "$data" --preview --workers "$workers"
fi
train_options=("${options[@]}")
[ -z "$epochs" ] || train_options+=(train_cfg.max_epochs="$epochs")

say "2/5 what the bundled model sees in pictures that it was not trained on: all tasks at once"
pictures=$out/pictures
rm -rf "$out/held_out" && mkdir -p "$out/held_out"
python - "$data" "$images" "$out/held_out" <<'PYTHON'
"""Link a dozen validation photos, so that what is drawn was not trained on."""
import json
import sys
from pathlib import Path

data, images, target = map(Path, sys.argv[1:])
found = sorted((data / 'annotations').glob('person_keypoints_val*.json'))
for entry in json.loads(found[0].read_text())['images'][:12]:
    photo = images / entry['file_name']
    (target / photo.name).symlink_to(photo)
PYTHON
boxes=$(find "$data/annotations" -name 'person_keypoints_val*.json' | head -n 1)
python tools/demo.py multitask "$out/held_out" --weights "$box" --boxes "$boxes" --crops --out "$out/first" --quiet
echo "  pictures  $out/first"

say "3/5 training $config on $gpus processes, from the encoder of the bundled model"
# --amp: mixed precision where the hardware has it.
bash tools/dist_train.sh "$config" "$gpus" --work-dir "$out/train" --resume --amp --cfg-options "${train_options[@]}"
checkpoint=$(cat "$out/train/last_checkpoint")

say "4/5 evaluating $checkpoint on people it has not seen"
python tools/test.py "$config" "$checkpoint" --work-dir "$out/test" --cfg-options "${options[@]}" | tee "$out/evaluation.txt"
if [ -n "$rendered" ]; then
    python tools/test.py "$box" "$box" --work-dir "$out/test_box" --cfg-options data_root="$data" >"$out/evaluation_box.txt"
    python - "$out/test_box" "$out/test" <<'PYTHON' | tee -a "$out/evaluation.txt"
"""What training added to the bundled model, on the people held out."""
import json
import sys
from pathlib import Path

before, after = (
    {row['group']: 100 * row['AP'] for row in json.loads(max(Path(run).glob('*/groups.json')).read_text())}
    for run in sys.argv[1:]
)
for group in ('body', 'foot', 'face', 'hand', 'whole'):
    if before[group] >= 0:  # else the people held out have no such points
        print(f'AP of {group:5}: {before[group]:5.1f} the bundled model, {after[group]:5.1f} after training')
PYTHON
fi

say "5/5 drawing"
python tools/demo.py pose "$out/held_out" --weights "$checkpoint" --boxes "$boxes" --out "$pictures"

say "done in $(((SECONDS - started + 30) / 60)) minutes after installation"
echo "  table     $out/evaluation.txt"
echo "  pictures  $pictures/pose, and $out/first of the bundled model"
[ ! -f "$data/preview.png" ] || echo "  data      $data/preview.png"
echo "  model     $checkpoint"
echo "  next      source .venv/bin/activate"
