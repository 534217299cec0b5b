# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What must hold for every picture, array, label map and box that our readers read, tried on random ones."""

import io
import json

import cv2
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from sapiens_common.files.boxes import read_boxes_json
from sapiens_common.files.images import choose_reduction, decode_image, read_ids, read_image
from sapiens_common.files.maps import read_array, read_mask, read_picture
from sapiens_common.transforms import ColourDistortion
from sapiens_common.transforms.photometric import distort

# A file of one name is written again for every example.
many = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
sides = st.integers(1, 40)
photos = st.tuples(sides, sides).flatmap(lambda size: arrays(np.uint8, (*size, 3)))
# EXIF's orientations, as operations that show the stored pixels upright.
UPRIGHT = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x.swapaxes(0, 1)[:, ::-1],
    7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],
    8: lambda x: x.swapaxes(0, 1)[::-1],
}


@given(photo=photos, suffix=st.sampled_from(['png', 'bmp', 'tif', 'webp']))
@many
def test_lossless_pictures_are_read_to_the_bit(tmp_path, photo, suffix):
    path = tmp_path / f'photo.{suffix}'
    Image.fromarray(photo[..., ::-1]).save(path, **({'lossless': True} if suffix == 'webp' else {}))
    np.testing.assert_array_equal(read_image(path), photo)


@given(
    photo=photos, orientation=st.sampled_from(list(UPRIGHT)), form=st.sampled_from(['PNG', 'TIFF'])
)
@many
def test_every_orientation_is_shown_upright(photo, orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(photo[..., ::-1]).save(file, form, exif=exif)
    found = decode_image(file.getvalue(), 'photo')
    np.testing.assert_array_equal(found, UPRIGHT[orientation](photo))


@given(
    values=st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda kind: st.tuples(sides, sides, st.sampled_from([1, 3, 4])).flatmap(
            lambda shape: arrays(kind, shape)
        )
    )
)
@many
def test_pictures_keep_their_bits_and_channels(tmp_path, values):
    values = values[..., 0] if values.shape[2] == 1 else values
    path = tmp_path / 'map.png'
    cv2.imwrite(str(path), values)
    np.testing.assert_array_equal(read_picture(path), values)


@given(
    values=st.sampled_from(['?', 'i1', 'u2', 'i8', 'f2', '>f4', 'f8']).flatmap(
        lambda kind: arrays(np.dtype(kind), array_shapes(max_dims=4, max_side=6))
    ),
    packed=st.booleans(),
)
@many
def test_arrays_are_read_as_they_were_written(tmp_path, values, packed):
    path = tmp_path / f'array.{"npz" if packed else "npy"}'
    (np.savez_compressed if packed else np.save)(path, values)
    found = read_array(path)
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)


@given(
    labels=st.tuples(sides, sides).flatmap(lambda size: arrays(np.uint8, size)),
    palette=st.booleans(),
)
@many
def test_labels_are_entries_with_any_palette(tmp_path, labels, palette):
    picture = Image.fromarray(labels)
    if palette:
        picture.putpalette(list(range(255, -1, -1)) * 3)  # colours that say something else
    picture.save(tmp_path / 'labels.png')
    np.testing.assert_array_equal(read_ids(tmp_path / 'labels.png'), labels)
    np.testing.assert_array_equal(read_mask(tmp_path / 'labels.png', 100), labels > 100)


@given(
    size=st.tuples(st.floats(1, 5000), st.floats(1, 5000)),
    wanted=st.tuples(st.integers(1, 1024), st.integers(1, 1024)),
)
def test_reduced_photos_are_no_smaller_than_wanted(size, wanted):
    reduction = choose_reduction(size, wanted)
    assert reduction in (1, 2, 4, 8)
    ratio = min(size[0] / wanted[0], size[1] / wanted[1])
    assert reduction == 1 or ratio >= reduction
    assert reduction == 8 or ratio < 2 * reduction


@given(boxes=arrays(np.float32, (3, 4), elements=st.floats(1, 500, width=32)))
@many
def test_all_forms_of_a_box_file_say_the_same(tmp_path, boxes):
    """COCO's x, y, width, height against corners by name."""
    rows = [[x, y, x + w, y + h] for x, y, w, h in boxes.tolist()]
    detections = [
        {'image_id': 7, 'category_id': 1, 'bbox': box, 'score': 0.5} for box in boxes.tolist()
    ]
    annotations = [
        {'id': n, 'image_id': 7, 'category_id': 1, 'bbox': box}
        for n, box in enumerate(boxes.tolist())
    ]
    images = [{'id': 7, 'file_name': 'a.jpg', 'width': 2000, 'height': 2000}]
    found = {}
    for name, content in {
        'detections': detections,
        'annotations': {'images': images, 'annotations': annotations},
        'by_name': {'a.jpg': rows},
    }.items():
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
        (found[name],) = read_boxes_json(tmp_path / f'{name}.json').values()
    for name, groups in found.items():
        np.testing.assert_allclose([row[:4] for row in groups], rows, rtol=1e-6, err_msg=name)


@given(
    # OpenCV rounds the last pixels of a row, which it takes one by one, another way than the others; of 64 there are none.
    photo=st.integers(2, 40).flatmap(lambda height: arrays(np.uint8, (height, 64, 3))),
    seed=st.integers(0, 2**32 - 1),
)
@many
def test_colours_are_distorted_pixel_by_pixel(photo, seed):
    """No step looks at a neighbour: a photo turned around is distorted to the same, turned around."""
    np.random.seed(seed)
    distortion = ColourDistortion().draw()
    whole = distort(photo.copy(), distortion)
    assert whole.dtype == np.uint8 and whole.shape == photo.shape
    turned = distort(photo[::-1, ::-1].copy(), distortion)[::-1, ::-1]
    np.testing.assert_array_equal(turned, whole)


@given(photo=photos, cut=st.floats(0, 0.99))
@many
def test_a_torn_picture_is_an_error_that_names_it(tmp_path, photo, cut):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, 'PNG')
    path = tmp_path / 'torn.png'
    path.write_bytes(
        file.getvalue()[: int(cut * (len(file.getvalue()) - 12))]
    )  # before the last chunk
    try:
        image = read_image(path)
    except ValueError as error:
        assert 'torn.png' in str(error)
    else:  # of a few pixels, all may come before the cut: none is ever made up
        np.testing.assert_array_equal(image, photo[..., ::-1])
