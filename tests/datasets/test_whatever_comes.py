"""Whatever comes loads or is refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnnlab import datasets
from cnnlab.datasets import (
    cifar,
    loading,
)
from cnnlab.spec import LabError
from tests.datasets.examples import (
    X,
    Y,
    as_tar,
    as_zip,
    cifar100_files,
    npz,
    picture,
    two_classes,
)

many = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


NAMES = st.sampled_from(["a", "b", "train", "test", "..", ".", "", "a b", "é", "x" * 99, "/", "c:"])


FILES = st.sampled_from(["0.png", "1.png", "2.jpg", "README", ".png", "0.PNG", "\n.png"])


CONTENTS = st.sampled_from(
    [picture(), picture(mode="L"), picture(size=(3, 9)), picture(form="JPEG"), b"", b"junk"]
)


TREES = st.dictionaries(
    st.tuples(st.lists(NAMES, max_size=3), FILES).map(lambda p: "/".join([*p[0], p[1]])),
    CONTENTS,
    max_size=12,
)


def loads_or_is_refused(path: Path) -> None:
    try:
        data = datasets.load(str(path))
    except LabError:
        return
    assert data.images.dtype == np.uint8
    assert data.images.ndim == 4
    assert data.images.shape[3] in (1, 3)
    assert data.labels.shape == data.images.shape[:1]
    assert 0 <= data.labels.min() <= data.labels.max() < len(data.class_names)


@many
@given(files=TREES, kind=st.sampled_from([".zip", ".tar", ".tar.gz"]))
def test_any_archive_loads_or_is_refused(tmp_path, files, kind):
    path = tmp_path / f"a{kind}"
    (as_zip if kind == ".zip" else as_tar)(path, files)
    loads_or_is_refused(path)


def build_samples(folder: Path) -> dict[str, bytes]:
    """One small healthy file of every kind."""
    made = [
        as_zip(folder / "a.zip", two_classes(each=2)),
        as_tar(folder / "a.tar", two_classes(each=2)),
        as_tar(folder / "a.tar.gz", two_classes(each=2)),
        as_tar(folder / "a.tar.xz", two_classes(each=2)),
        as_tar(folder / "a.tar.bz2", two_classes(each=2)),
        npz(folder / "a.npz", X, Y),
    ]
    return {path.name: path.read_bytes() for path in made}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return build_samples(tmp_path_factory.mktemp("samples"))


@many
@given(data=st.data())
def test_any_damage_to_an_archive_loads_or_is_refused(tmp_path, samples, data):
    name = data.draw(st.sampled_from(sorted(samples)))
    content = bytearray(samples[name])
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=6)
    ):
        content[place] = value
    keep = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    path = tmp_path / name
    path.write_bytes(content[:keep])
    loads_or_is_refused(path)


@many
@given(data=st.data())
def test_any_damage_to_a_pickle_is_read_or_refused(data):
    content = bytearray(cifar100_files()["cifar-100-python/train"])
    places = st.one_of(st.integers(0, 200), st.integers(0, len(content) - 1))
    for place, value in data.draw(
        st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)
    ):
        content[place] = value
    try:
        read = cifar.read_pickle(bytes(content), "a batch")
    except LabError:
        return
    assert isinstance(read, dict)


@many
@given(data=st.data())
def test_any_damage_to_a_picture_is_named(tmp_path, data):
    form = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]))
    content = bytearray(picture(form=form))
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)
    ):
        content[place] = value
    path = as_zip(tmp_path / "a.zip", two_classes() | {"cat/x.png": bytes(content)})
    try:
        said, pictures_read = "", len(datasets.load(str(path)).images)
    except LabError as error:
        said, pictures_read = str(error), 0
    assert pictures_read == 7 or "'cat/x.png'" in said


def test_a_sample_drawn_ahead_is_what_a_run_would_draw():
    drawn = datasets.load("shapes", 500)
    datasets.draw_ahead()
    kept = datasets.load("shapes", 500)
    assert isinstance(kept.images, np.memmap)
    assert np.array_equal(kept.images, drawn.images)
    assert np.array_equal(kept.labels, drawn.labels)
    assert len(datasets.load("shapes", loading.SAMPLE + 1).labels) == loading.SAMPLE + 1
