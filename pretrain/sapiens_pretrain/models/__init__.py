# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Encoder modules. Importing this registers ``SapiensViT``, ``ConvStemViT`` and ``Sapiens2ViT`` of ``sapiens_pretrain``."""

from .conv_stem import ConvStemViT
from .sapiens2 import Sapiens2ViT
from .vit import SapiensViT

__all__ = ['ConvStemViT', 'Sapiens2ViT', 'SapiensViT']
