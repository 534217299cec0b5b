#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Write model-index.yml and the metafile of each task from the table of published weights.

``python tools/convert/metafiles.py`` rewrites them; ``--check`` only says whether they are up to date (exit code 1 if not).
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap

HEADER = '# Written by tools/convert/metafiles.py from the table of published weights; edit that instead.\n'
PAPERS = {
    'Sapiens': {
        'Title': 'Sapiens: Foundation for Human Vision Models',
        'URL': 'https://arxiv.org/abs/2408.12569',
    },
    'Sapiens2': {'Title': 'Sapiens2', 'URL': 'https://github.com/facebookresearch/sapiens2'},
}
TASKS = {
    'pose': 'Body 2D Keypoint',
    'seg': 'Semantic Segmentation',
    'pretrain': 'Self-Supervised Pretraining',
    'depth': 'Depth Estimation',
    'normal': 'Surface Normal Estimation',
    'pointmap': 'Pointmap Estimation',
    'albedo': 'Albedo Estimation',
    'matting': 'Image Matting',
}


def metafiles(root: Path) -> dict[str, str]:
    """Content of every file by its path in the repository."""
    import yaml

    from sapiens_common.weights import find_config, lookup, published_names

    models: dict[str, list[dict]] = {}
    licences: dict[str, str] = {}
    for name in published_names():
        entry = lookup(name)
        task = name.partition('/')[2].partition('_')[0]
        if entry.carried or task not in TASKS:
            continue
        config = find_config(name).relative_to(root).as_posix()
        family = 'Sapiens2' if name.startswith('sapiens2_') else 'Sapiens'
        licences[family] = entry.licence
        data = Path(config).stem.split('_', 2)[2]
        models.setdefault(task, []).append(
            {
                'Name': name.replace('/', '_'),
                'In Collection': family,
                'Config': config,
                'Metadata': {'Training Data': data},
                'Results': [{'Task': TASKS[task], 'Dataset': data, 'Metrics': {}}],
                'Weights': f'https://huggingface.co/{entry.repo}/resolve/main/{entry.file}',
            }
        )
    written = {}
    for task, rows in sorted(models.items()):
        families = sorted({row['In Collection'] for row in rows})
        collections = [
            {
                'Name': family,
                'Paper': PAPERS[family],
                'README': 'README.md',  # one for the family: mim joins collections of the same name
                'License': licences[family],
            }
            for family in families
        ]
        content = {'Collections': collections, 'Models': rows}
        text = yaml.safe_dump(content, sort_keys=False, width=120)
        written[f'configs/{task}/metafile.yml'] = HEADER + text
    written['model-index.yml'] = HEADER + yaml.safe_dump({'Import': sorted(written)})
    return written


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing')
    args = parser.parse_args()
    root = Path(__file__).resolve().parents[2]
    stale = []
    for name, text in metafiles(root).items():
        path = root / name
        if path.is_file() and path.read_text(encoding='utf-8') == text:
            continue
        stale.append(name)
        if not args.check:
            path.write_text(text, encoding='utf-8')
    print(('out of date: ' if args.check else 'written: ') + (', '.join(stale) or 'none'))
    return int(args.check and bool(stale))


if __name__ == '__main__':
    _bootstrap.run(main)
