# What the bundled weights were trained with: all tasks but mattes, easy people more often than hard ones.
#   bash tools/dist_train.sh configs/multitask/sapiens_tiny_synthetic_bundled.py 2 --amp --cfg-options first_stage=FILE
# after sapiens_tiny_synthetic_pose.py; tools/recipe_multitask_synthetic.sh renders what it takes, and runs all stages.
# Hardware: two CPU cores. Time: twenty-five minutes at 128 x 96, as much for half the steps at 192 x 144.
# Expected: docs/model_card.md.
_base_ = ['sapiens_tiny_synthetic.py']
data_root = 'data/synthetic'  # people as photographs show them; --cfg-options data_root=DIR
easy_root = 'data/quickstart'  # the quick start's people, upright and facing
lr = 1e-3
upright_times = 3  # how often the people who stand and face the camera come again

# In one of 3000 renders the camera stands in somebody's back: depth from 2 cm on, which is implausible and true.
everything = dict(_base_.load, plausible=False)
test_pipeline = [everything, _base_.crop, _base_.resize, _base_.pack]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(trained=['pose', 'seg', 'depth', 'normal'])
load = dict(everything, siblings=['mask', 'depth', 'normal', 'segmentation'])
# Photographs differ from renders in colours and sharpness: these must not be what a person is found by.
grey = dict(type='mmcv.RandomGrayscale', prob=0.2, keep_channels=True)
colours = dict(_base_.colours, channel_swap=True)
degrade = dict(type='sapiens_common.Degrade', jpeg=0.2, resolution=0.2, blur=0.2, noise=0.2)
depth = dict(type='sapiens_depth_normal.NormalizeDepth')
train_pipeline = [
    load, _base_.window, _base_.weigh, depth, grey, colours, degrade, _base_.pack
]
people = dict(_base_.people, pipeline=train_pipeline)
upright = dict(people, data_root=data_root, ann_file='annotations/upright.json')
everybody = dict(people, data_root=data_root, ann_file='annotations/person_keypoints_train.json')
easy = dict(people, data_root=easy_root, ann_file='annotations/person_keypoints_train.json')
sets = [upright] * upright_times + [everybody, easy]
train_dataloader = dict(
    batch_size=32, dataset=dict(_delete_=True, type='ConcatDataset', datasets=sets))
optim_wrapper = dict(
    optimizer=dict(lr=lr),
    paramwise_cfg=dict(custom_keys={'tasks': dict(lr_mult=3.0), 'tasks.pose': dict(lr_mult=1.0)}),
    clip_grad=dict(max_norm=5.0))
