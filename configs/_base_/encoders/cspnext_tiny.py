# Encoder card: the CSPNeXt of RTMPose-t (Jiang et al., 2023), from mmpose, from scratch: 2.3 M parameters, stride 32.
channels = 384  # of its output
encoder = dict(
    type='mmpose.CSPNeXt',
    arch='P5',
    deepen_factor=0.167,
    widen_factor=0.375,
    out_indices=(4, ))
