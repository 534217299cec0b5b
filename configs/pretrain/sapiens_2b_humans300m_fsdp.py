# sapiens_2b_humans300m with parameters, gradients and optimizer state split over the GPUs.
_base_ = ['./sapiens_2b_humans300m.py', '../_base_/strategies/fsdp.py']

runner_type = 'sapiens_common.ShardedRunner'
