# sapiens_1b_humans300m with parameters, gradients and optimizer state split over the GPUs.
#   SAPIENS_IMAGES=FOLDER bash tools/dist_train.sh configs/pretrain/sapiens_1b_humans300m_fsdp.py 8
# Hardware: 8 GPUs of 80 GB or more, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['sapiens_1b_humans300m.py', '../_base_/strategies/fsdp.py']

runner_type = 'sapiens_train.ShardedRunner'
