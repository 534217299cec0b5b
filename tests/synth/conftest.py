# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import numpy as np
import pytest

from sapiens_synth.camera import frame_points
from sapiens_synth.scene import Scene
from sapiens_synth.shading import sample_light

SIZE = (320, 240)


@pytest.fixture(scope='session')
def view():
    """`view(meshes, points, direction)`: camera, scene and maps of people, framed on some points."""

    def make(meshes, points, direction=(0, 0, 1), size=SIZE, fill=0.9):
        camera = frame_points(points, np.array(direction, float), 0.0, 40.0, size, fill, (0, 0))
        light = sample_light(np.random.default_rng(0), -camera.rotation[2])
        scene = Scene(meshes)
        background = np.full((*size, 3), 0.5, np.float32)
        return camera, scene, scene.render(camera, light, background, False)

    return make
