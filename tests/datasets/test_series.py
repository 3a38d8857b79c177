"""Sequences: drawn ones, and windows of a CSV file of one's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.datasets import columns, waves, windows
from cnnlab.spec import LabError, training_part

# --- waves ----------------------------------------------------------------------------------


def test_waves_are_synthetic_scaled_sequences_with_every_class_equally_often() -> None:
    data = datasets.load("waves", 900)
    assert (data.kind, data.synthetic) == ("series", True)
    assert (data.images.shape, data.images.dtype) == ((900, 128, 3, 1), np.float32)
    assert np.bincount(data.labels).tolist() == [150] * 6
    assert abs(data.images.mean()) < 0.05
    assert data.images.std() == pytest.approx(1, abs=0.05)


def test_fewer_waves_are_the_first_of_more_whether_drawn_or_kept() -> None:
    few = waves.draw(1000)
    np.testing.assert_array_equal(few[0], waves.draw(1900)[0][:1000])
    datasets.draw_ahead()
    kept = datasets.load("waves", 1000)
    assert isinstance(kept.images, np.memmap)
    np.testing.assert_array_equal(kept.images, few[0])
    np.testing.assert_array_equal(kept.labels, few[1])


def test_all_waves_are_prepared_once_as_they_are_drawn() -> None:
    whole = datasets.load("waves")
    assert whole.images.dtype == np.float32
    assert len(whole.images) == waves.SEQUENCES == datasets.info("waves").train_images
    np.testing.assert_array_equal(whole.images[:50], waves.draw(50)[0])


def test_only_the_order_tells_waves_apart() -> None:
    """Without time, every channel of every class looks alike; with it, its place in the order."""
    x, y = waves.draw(6000)
    x = x[..., 0]
    power = np.stack([(x[y == label] ** 2).mean(axis=(0, 1)) for label in range(6)])
    np.testing.assert_allclose(power, power.mean(), rtol=0.05)
    middle = (x**2 * np.arange(128)[None, :, None]).sum(axis=1) / (x**2).sum(axis=1)
    for label, order in enumerate(waves.ORDERS):
        assert tuple(np.argsort(middle[y == label].mean(axis=0))) == order


# --- a CSV file -----------------------------------------------------------------------------


def table(rows: int = 60, seed: int = 0) -> list[list[str]]:
    """Days, a random walk and a second column."""
    random = np.random.default_rng(seed)
    days = np.datetime64("2024-01-01") + np.arange(rows)
    walk, other = random.normal(0, 1, rows).cumsum() + 100, random.normal(5, 2, rows)
    return [
        [str(d), repr(float(w)), repr(float(o))] for d, w, o in zip(days, walk, other, strict=True)
    ]


def write(
    path: Path, rows: list[list[str]], head: str = "date,price,volume", sep: str = ","
) -> str:
    lines = [head, *(sep.join(row) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_windows_are_in_the_order_of_time_and_share_their_rows(tmp_path: Path) -> None:
    rows = table()
    data = datasets.load(write(tmp_path / "a.csv", rows) + "?window=8&horizon=2")
    assert (data.kind, data.synthetic) == ("series", False)
    assert data.images.shape == (60 - 8 - 2 + 1, 8, 2, 1)
    assert data.images.dtype == np.float32
    np.testing.assert_array_equal(data.images[0, 1:], data.images[1, :-1])
    assert np.shares_memory(data.images[0], data.images[1])
    assert data.class_names == ("falls", "stays", "rises")


def test_the_class_is_what_the_first_column_does_behind_the_window(tmp_path: Path) -> None:
    rows = table()
    price = np.array([float(row[1]) for row in rows])
    data = datasets.load(write(tmp_path / "a.csv", rows) + "?window=8&horizon=2")
    change = price[9:] - price[7:-2]  # from a window's last row to two rows on
    assert len(change) == len(data.labels)
    train = training_part(len(change), 0.15)
    low, high = np.quantile(change[:train], (1 / 3, 2 / 3))
    np.testing.assert_array_equal(data.labels == 0, change <= low)
    np.testing.assert_array_equal(data.labels == 2, change >= high)
    counts = np.bincount(data.labels[:train])
    assert counts.max() - counts.min() <= 2


@pytest.mark.parametrize(
    ("moves", "classes"),
    [((-1, 1), {-1: 0, 1: 2}), ((-1, 0, 0, 0, 1), {-1: 0, 0: 1, 1: 2})],
)
def test_values_that_move_by_ticks_have_classes_too(tmp_path, moves, classes) -> None:
    change = np.resize(moves, 59)
    price = np.concatenate([[0], change.cumsum()])
    rows = [[row[0], str(value), "1"] for row, value in zip(table(), price, strict=True)]
    data = datasets.load(write(tmp_path / "a.csv", rows) + "?window=8")
    for move, label in classes.items():
        assert set(data.labels[change[7:] == move]) == {label}


@pytest.mark.parametrize(("limit", "share"), [(None, 0.15), (None, 0.5), (30, 0.2)])
def test_nothing_of_the_validation_part_is_looked_at(tmp_path, limit, share) -> None:
    """Whatever stands in the rows that training does not see, training stays the same."""
    rows = table()
    name = write(tmp_path / "a.csv", rows)
    options = "?window=8&horizon=1"
    data = datasets.load(name + options, limit, validation_split=share)
    train = training_part(len(data.labels), share)
    seen = data.images[:train].reshape(-1, 2)
    unseen = train + 8  # rows of training windows, and the one row behind the last
    wild = rows[:unseen] + [[row[0], "1e9", "-1e9"] for row in rows[unseen:]]
    other = datasets.load(write(tmp_path / "b.csv", wild) + options, limit, validation_split=share)
    np.testing.assert_array_equal(other.images[:train], data.images[:train])
    np.testing.assert_array_equal(other.labels[:train], data.labels[:train])
    assert np.abs(seen.mean(axis=0)).max() < 0.6
    first = np.concatenate([data.images[0, :, :, 0], data.images[1:train, -1, :, 0]])
    np.testing.assert_allclose(first.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(first.std(axis=0), 1, atol=1e-5)


def test_columns_that_are_not_named_are_found(tmp_path: Path) -> None:
    rows = [["x", *row, "n/a" if place % 2 else "7"] for place, row in enumerate(table())]
    name = write(tmp_path / "a.csv", rows, head="tag,day,price,volume,gaps")
    with pytest.raises(LabError, match="row 3, column gaps: there is no value"):
        datasets.load(f"{name}?values=price,gaps")
    assert datasets.load(name).images.shape[1:] == (32, 2, 1)


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize(
    "write_time",
    [
        lambda day: str(day),
        lambda day: f"{day}T09:30:00Z",
        lambda day: f"{day.astype(object):%d.%m.%Y}",
        lambda day: f"{day.astype(object):%m/%d/%Y}",
        lambda day: str(day.astype("datetime64[s]").astype(int)),
    ],
)
def test_separators_and_ways_to_write_a_time(tmp_path: Path, sep: str, write_time) -> None:
    rows = [[write_time(np.datetime64(row[0])), *row[1:]] for row in table()]
    name = write(tmp_path / "a.csv", rows, head=sep.join(("Date", "price", "volume")), sep=sep)
    plain = datasets.load(write(tmp_path / "b.csv", table()))
    np.testing.assert_array_equal(datasets.load(name).images, plain.images)


def test_what_a_spreadsheet_adds_does_no_harm(tmp_path: Path) -> None:
    rows = [[row[0], f'" {row[1]}"', row[2]] for row in table()]
    name = write(tmp_path / "a.csv", rows)
    text = Path(name).read_text(encoding="utf-8")
    Path(name).write_bytes(("\ufeff" + text.replace("\n", "\r\n") + ",,\r\n\r\n").encode())
    assert datasets.load(name).images.shape == (28, 32, 2, 1)


def changed(place: int, column: int, cell: str) -> list[list[str]]:
    rows = table()
    rows[place][column] = cell
    return rows


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        (changed(15, 1, "abc"), "", "row 17, column price: 'abc' is no number"),
        (changed(15, 1, "inf"), "", "row 17, column price: 'inf' is no number"),
        (changed(15, 1, "1e200"), "", "'1e200' is too large a number: at most 3.4e.38"),
        (changed(15, 1, "-1e999"), "", "'-1e999' is too large a number: at most 3.4e.38"),
        (
            [["1e400" if n in (3, 4) else str(n), *row[1:]] for n, row in enumerate(table())],
            "",
            "row 5, column date: '1e400' is no number",
        ),
        (changed(15, 0, ""), "", "row 17, column date: there is no value"),
        (changed(15, 0, "soon"), "", "row 17, column date: 'soon' is no time"),
        (changed(15, 0, "2023-01-01"), "", "row 17, .* earlier than the row above it: sort"),
        (changed(15, 0, "2024-01-15"), "", "row 17, .* the time of the row above it as well"),
        ([*table()[:9], ["", "", ""], *table()[9:]], "", "row 11, column date: there is no value"),
        (changed(3, 2, "1,2"), "", "is no CSV file that can be read: .*"),
        (table(41), "", "has 41 rows of values; windows of 32 rows .* need at least 42"),
        ([], "", "has a line of names and no rows"),
        (table(), "?values=prise", "has no column 'prise': did you mean price"),
        (table(), "?time=when", "has no column 'when': it has date, price, volume"),
        (table(), "?time=", "has no column ''"),
        (table(), "?values=date", "column 'date' of a.csv is its time"),
        (table(), "?window=1", 'window is "1", but it should be greater than or equal to 2'),
        (table(), "?window=x&horizon=0", "window is .*; horizon is"),
        (table(), "?windows=3", "no option 'windows': did you mean window"),
        ([[row[0], "5", "6"] for row in table()], "", "hardly ever changes"),
        ([[row[0], "red", "blue"] for row in table()], "", "no column of numbers"),
        ([["red", *row[1:]] for row in table()], "", "column date: 'red' is no time"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, rows, options, says) -> None:
    with pytest.raises(LabError, match=says) as caught:
        datasets.load(write(tmp_path / "a.csv", rows) + options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "a.csv is empty"),
        (b"\n\n1,2\n", "its first line is"),
        (b"\xff\xfed\x00a", "no UTF-8 text .byte 0x61"),
        ("date,gr\xf6\xdfe\n2024-01-01,1\n".encode("latin-1"), "save it again as .CSV UTF-8."),
        (b"date,a,a\n2024-01-01,1,2\n", "names the column 'a' twice"),
        (b"x" * 2_000_000, "its first line does not end"),
        (b'date,a\n2024-01-01,"1\n', "no CSV file that can be read|no number"),
        (bytes(range(256)) * 10, "a.csv"),
    ],
)
def test_what_is_no_csv_file_is_refused(tmp_path, content, says) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(LabError, match=says):
        datasets.load(str(tmp_path / "a.csv"))


def test_pieces_are_joined_and_rows_counted_over_all_of_them(tmp_path, monkeypatch) -> None:
    whole = datasets.load(write(tmp_path / "a.csv", table()))
    monkeypatch.setattr(columns, "CHUNK_ROWS", 7)
    np.testing.assert_array_equal(
        datasets.load(write(tmp_path / "b.csv", table())).images, whole.images
    )
    with pytest.raises(LabError, match="row 36, column price: 'abc'"):
        datasets.load(write(tmp_path / "c.csv", changed(34, 1, "abc")))
    with pytest.raises(LabError, match=r"row 16, .* earlier than the row above"):
        datasets.load(write(tmp_path / "d.csv", changed(14, 0, "2024-01-02")))
    blank = table()[:14] + [["", "", ""]] * 9 + table()[14:]
    with pytest.raises(LabError, match="row 16, column date: there is no value"):
        datasets.load(write(tmp_path / "e.csv", blank))


def test_a_file_whose_windows_would_not_fit_is_refused_while_it_is_read(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(columns, "CHUNK_ROWS", 10)
    monkeypatch.setattr(windows, "BYTES", 30 * 2 * 32 * 4)
    with pytest.raises(LabError, match="windows of its first 40 rows alone take more than"):
        datasets.load(write(tmp_path / "a.csv", table()))
    assert len(datasets.load(write(tmp_path / "b.csv", table()) + "?window=8").images) == 52
    monkeypatch.setattr(columns, "FILE_BYTES", 100)
    with pytest.raises(LabError, match="is refused: it is larger than"):
        datasets.load(write(tmp_path / "c.csv", table()))


@pytest.mark.soak
def test_a_gigabyte_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """Two columns of which one is used: 1 GB of text in little memory."""
    path, block = tmp_path / "big.csv", 500_000
    with path.open("w") as file:
        file.write("time,price,text\n")
        place = 0
        while file.tell() < 10**9:
            filler = "x" * 200
            file.writelines(f"{place + i},{(place + i) % 97},{filler}\n" for i in range(block))
            place += block
    code = (
        "import resource, sys; from cnnlab import datasets\n"
        f"data = datasets.load({str(path)!r} + '?values=price')\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6\n"
        "print(len(data.images), round(peak, 2), 'GB')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    count, peak, _ = done.stdout.split()
    assert int(count) == place - 32
    assert float(peak) < 0.8


# --- as a data set --------------------------------------------------------------------------


def test_a_csv_in_the_home_is_known_and_described(home: Path) -> None:
    write(home / "datasets" / "prices.csv", table())
    before = datasets.known()[-1]
    assert (before.name, before.kind, before.ready) == ("prices.csv", "series", False)
    after = datasets.fetch("prices.csv")
    assert (after.image_shape, after.train_images, after.classes) == ((32, 2, 1), 28, 3)
    named = datasets.fetch("prices.csv?window=8")
    assert (named.image_shape, named.train_images) == ((8, 2, 1), 52)
    assert named.title == "prices.csv?window=8"
    assert datasets.known()[-1] == after


def test_a_changed_csv_is_read_anew(tmp_path: Path) -> None:
    name = write(tmp_path / "a.csv", table())
    assert len(datasets.load(name).images) == 28
    write(tmp_path / "a.csv", table(70))
    assert len(datasets.load(name).images) == 38


def test_a_gallery_shows_windows_of_each_class(tmp_path: Path) -> None:
    name = write(tmp_path / "a.csv", table())
    assert datasets.gallery(name) == []
    data = datasets.load(name)
    shown = dict(datasets.gallery(name, per_class=2))
    assert list(shown) == ["falls", "stays", "rises"]
    np.testing.assert_array_equal(shown["rises"], data.images[data.labels == 2][:2])
