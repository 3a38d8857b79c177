"""Pixels of what is in a network: sizes, scales, and what stands where."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from cnnlab.ui.inspect import sheets


def test_a_small_picture_is_enlarged_by_whole_pixels_and_a_large_one_made_smaller():
    small = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = sheets.enlarged(small, 9)
    assert large.shape == (8, 8, 3)
    assert (large[:4, :4] == small[0, 0]).all()
    for channels in (1, 3):
        vast = np.zeros((300, 600, channels), np.uint8)
        assert sheets.enlarged(vast, 100).shape == (50, 100, 3)


def test_a_data_url_holds_the_picture():
    url = sheets.data_url(np.full((4, 4, 1), 77, np.uint8), 8)
    kind, _, body = url.partition(",")
    assert kind == "data:image/png;base64"
    held = np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))
    assert held.shape == (8, 8, 3)
    assert (held == 77).all()


def test_heat_lies_where_it_is_and_its_scale_does_not_matter():
    heat = np.zeros((4, 4))
    heat[0, 0] = 1
    picture = np.full((32, 32, 3), 100, np.uint8)
    under = sheets.under_heat(picture, heat)
    assert under.shape == (256, 256, 3)
    assert under[8, 8].sum() > under[200, 200].sum() + 100
    assert (under == sheets.under_heat(picture, 1e-6 * heat)).all()
    assert np.isfinite(sheets.under_heat(picture, 0 * heat)).all()


def test_maps_stand_in_rows_each_from_its_least_to_its_greatest():
    maps = np.stack([np.eye(4) * scale for scale in (1e-3, 1.0, 0.0)] * 4)
    sheet = sheets.maps_sheet(maps)
    assert sheet.shape == (64 * 2 + 4, 64 * 8 + 4 * 7, 4)
    first, second, flat = sheet[:64, :64], sheet[:64, 68:132], sheet[:64, 136:200]
    assert (first == second).all()
    assert len(np.unique(flat[..., :3].reshape(-1, 3), axis=0)) == 1
    assert sheet[0, 65, 3] == 0  # a gap
    assert sheet[70, 64 * 5, 3] == 0  # nothing there


def test_weights_are_grey_or_white_where_they_are_nought():
    weights = np.zeros((2, 3, 3, 3))
    weights[0, 0, 0, 0] = 2
    coloured = sheets.weights_sheet(weights)
    assert coloured[0, 0, :3].tolist() == [255, 128, 128]
    single = sheets.weights_sheet(weights[..., :1])
    assert single[0, 0, :3].tolist() == sheets.DIVERGING[-1].tolist()
    assert (single[40, 40, :3] == sheets.DIVERGING[2]).all()


def test_states_run_from_left_to_right():
    states = np.zeros((100, 3))
    states[-1, 0] = 1
    sheet = sheets.states_sheet(states)
    assert sheet.shape[0] * 100 // 3 <= sheet.shape[1] * 100
    assert sheet[0, -1].tolist() == sheets.DIVERGING[-1].tolist()
    assert (sheet[0, 0] == sheets.DIVERGING[2]).all()
