# Sapiens-0.3b, 308 keypoints from the 70 that SAM 3D Body annotates on photos of COCO 2014; the other 238 are unlabelled.
# Add sets that have them to `datasets`, such as rendered people; nothing is validated, as no public set has all points.
#   bash tools/dist_train.sh configs/pose/sapiens_0.3b_sam3d_body.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['sapiens_0.3b_goliath.py']
data_root = 'data/sam3d_body'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='sapiens_pose.NameMatchedDataset',
        layout='goliath',
        pipeline=_base_.train_dataloader.dataset.pipeline,
        datasets=[
            dict(
                type='sapiens_pose.Sam3dBodyDataset',
                ann_file=f'{data_root}/coco_train',
                data_prefix=dict(img=f'{data_root}/images/train2014'))]))
val_dataloader = val_evaluator = val_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None, rule=None))
