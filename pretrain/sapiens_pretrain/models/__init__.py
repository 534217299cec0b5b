# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Encoder modules. Importing this registers ``sapiens_pretrain.SapiensViT``."""

from .vit import SapiensViT

__all__ = ['SapiensViT']
