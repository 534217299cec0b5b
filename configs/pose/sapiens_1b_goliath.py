_base_ = ['../_base_/sizes/sapiens_1b.py', '_base_/topdown_1024x768.py', '_base_/goliath.py']

model = dict(
    backbone=dict(arch={{_base_.arch}}, img_size={{_base_.img_size}}),
    head=dict(
        in_channels={{_base_.embed_dims}},
        out_channels={{_base_.num_keypoints}},
        loss=dict(
            _delete_=True, type='sapiens_pose.HardKeypointMSELoss', topk=128, use_target_weight=True)))
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.val_pipeline}}))
test_dataloader = val_dataloader
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.95))
