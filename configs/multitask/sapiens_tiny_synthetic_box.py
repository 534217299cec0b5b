# What the bundled weights were trained with, second stage: all tasks but mattes, easy people more often than hard ones.
#   bash tools/dist_train.sh configs/multitask/sapiens_tiny_synthetic_box.py 1 --amp --cfg-options first_stage=FILE
# after sapiens_tiny_synthetic_pose.py; tools/recipe_multitask_synthetic.sh renders what it takes, and runs all stages.
# Hardware: one CPU core. Time: twenty minutes.
# Expected: docs/model_card.md.
_base_ = ['sapiens_tiny_synthetic.py']
data_root = 'data/synthetic'  # people as photographs show them; --cfg-options data_root=DIR
easy_root = 'data/quickstart'  # the quick start's people, upright and facing
lr = 1e-3

# In one of 3000 renders the camera stands in somebody's back: depth from 2 cm on, which is implausible and true.
everything = dict(_base_.load, plausible=False)
test_pipeline = [everything, _base_.crop, _base_.resize, _base_.pack]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(trained=['pose', 'seg', 'depth', 'normal'])
load = dict(everything, siblings=['mask', 'depth', 'normal', 'segmentation'])
window = dict(_base_.window, scale=(0.85, 1.2), half_prob=0.05, max_angle=20)
depth = dict(type='sapiens_depth_normal.NormalizeDepth')
train_pipeline = [load, window, _base_.weigh, depth, _base_.colours, _base_.pack]
people = dict(_base_.people, pipeline=train_pipeline)
upright = dict(people, data_root=data_root, ann_file='annotations/upright.json')
most = dict(people, data_root=data_root, ann_file='annotations/most.json')
easy = dict(people, data_root=easy_root, ann_file='annotations/person_keypoints_train.json')
train_dataloader = dict(
    batch_size=32,
    dataset=dict(_delete_=True, type='ConcatDataset', datasets=[upright, most, easy]))
optim_wrapper = dict(
    optimizer=dict(lr=lr),
    paramwise_cfg=dict(custom_keys={'tasks': dict(lr_mult=3.0), 'tasks.pose': dict(lr_mult=1.0)}),
    clip_grad=dict(max_norm=5.0))
