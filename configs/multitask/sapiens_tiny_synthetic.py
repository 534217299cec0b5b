# Pose, body parts, depth, normals and mattes from one pass of the encoder, on crops of rendered people, at 192 x 144.
#   bash tools/dist_train.sh configs/multitask/sapiens_tiny_synthetic.py 2 --amp --cfg-options first_stage=FILE
# after sapiens_tiny_synthetic_pose.py, from its checkpoint; tools/recipe_multitask_synthetic.sh runs it all.
# Hardware: two CPU cores. Time: half an hour.
# Expected: docs/model_card.md; its weights travel with the suite as sapiens_tiny/multitask_synthetic.
_base_ = ['../_base_/sizes/sapiens_tiny.py', '_base_/multitask.py']

first_stage = None  # checkpoint of sapiens_tiny_synthetic_pose.py
model = dict(
    init_cfg=first_stage and dict(type='Pretrained', checkpoint=first_stage),
    # Patches through convolutions: from scratch, one linear map per patch stays near the average pose for very long.
    backbone=dict(type='sapiens_pretrain.ConvStemViT', arch=_base_.arch),
    tasks=dict(
        pose=dict(head=dict(in_channels=_base_.embed_dims)),
        seg=dict(decode_head=dict(in_channels=_base_.embed_dims)),
        depth=dict(decode_head=dict(in_channels=_base_.embed_dims)),
        normal=dict(decode_head=dict(in_channels=_base_.embed_dims)),
        matting=dict(decode_head=dict(in_channels=_base_.embed_dims))))
