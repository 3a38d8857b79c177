"""Tables as spreadsheets, meters, exchanges and other people's scripts write them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.spec import LabError, Understood

ROWS = 120
WALK = np.random.default_rng(1).normal(0, 1, ROWS).cumsum() + 2000
"""Values from about 1,990 to 2,010."""
DAYS = [datetime(2019, 1, 1) + timedelta(days=n) for n in range(ROWS)]


def write(path: Path, lines: list[str], encoding: str = "utf-8") -> str:
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode(encoding))
    return str(path)


def understood(name: str) -> Understood:
    """What a table is taken for."""
    told = datasets.fetch(name).understood
    assert told is not None
    return told


def used(name: str) -> dict[str, list[str]]:
    """The columns that are used, by role."""
    found: dict[str, list[str]] = {}
    for column in understood(name).columns:
        found.setdefault(column.role, []).append(column.name)
    return found


def values_of(name: str, column: int = 0) -> np.ndarray:
    """The values of a column as they were read, before anything is scaled."""
    datasets.fetch(name)
    from cnnlab.datasets import names, store

    prepared = store.read(names.key_of(name))
    assert prepared is not None
    return np.asarray(prepared.images[:, 0, column, 0])


# --- numbers --------------------------------------------------------------------------------

NUMBERS: dict[str, tuple[str, Callable[[float], str], float]] = {
    "decimal comma": (";", lambda v: f"{v:.2f}".replace(".", ","), 1),
    "decimal comma, tab": ("\t", lambda v: f"{v:.1f}".replace(".", ","), 1),
    "thousands with a point": (";", lambda v: f"{v:,.2f}".translate({44: 46, 46: 44}), 1),
    "thousands with a comma": (";", lambda v: f"{v:,.2f}", 1),
    "quoted thousands": (",", lambda v: f'"{v:,.2f}"', 1),
    "quoted decimal comma": (",", lambda v: f'"{v:.2f}"'.replace(".", ","), 1),
    "thousands with a space": (";", lambda v: f"{v:,.2f}".replace(",", " ").replace(".", ","), 1),
    "thousands with a hard space": (";", lambda v: f"{v:,.2f}".translate({44: 160, 46: 44}), 1),
    "Swiss": (";", lambda v: f"{v:,.2f}".replace(",", "'"), 1),
    "euros": (";", lambda v: f"{v:.2f} €".replace(".", ","), 1),
    "dollars": (",", lambda v: f'"${v:,.2f}"', 1),
    "percent": (",", lambda v: f"{v:.2f}%", 1),
    "thousands by a letter": (",", lambda v: f"{v:.2f}K", 1000),
    "powers": (",", lambda v: f"{v:.6e}", 1),
    "plain": (",", lambda v: f"{v:.2f}", 1),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_are_read_as_people_write_them(tmp_path: Path, kind: str) -> None:
    separator, form, factor = NUMBERS[kind]
    lines = [separator.join(("Datum", "Preis"))]
    lines += [f"{day:%Y-%m-%d}{separator}{form(v)}" for day, v in zip(DAYS, WALK, strict=True)]
    name = write(tmp_path / "a.csv", lines)
    assert used(name) == {"time": ["Datum"], "value": ["Preis"]}
    np.testing.assert_allclose(values_of(name), WALK * factor, atol=0.051 * factor)


def test_a_decimal_comma_is_read_beside_whole_numbers(tmp_path: Path) -> None:
    lines = ["Datum;Preis;Hoch;Menge"]
    for n, (day, v) in enumerate(zip(DAYS, WALK, strict=True)):
        prices = f"{v:.2f};{v + 1:.1f}".replace(".", ",")
        lines.append(f"{day:%d.%m.%Y};{prices};{100 + n}")
    name = write(tmp_path / "a.csv", lines)
    assert used(name)["value"] == ["Preis", "Hoch", "Menge"]
    np.testing.assert_allclose(values_of(name, 1), WALK + 1, atol=0.051)
    assert understood(name).notes[:2] == (
        "Decimals are read behind a comma in Preis.",
        "Decimals are read behind a comma in Hoch.",
    )


@pytest.mark.parametrize(("separator", "sign"), [(";", "."), (";", ","), (",", ",")])
def test_thousands_beside_smaller_whole_numbers_are_no_decimals(
    tmp_path: Path, separator: str, sign: str
) -> None:
    wanted = np.random.default_rng(3).integers(800, 1700, ROWS)
    cells = [f'"{n:,}"'.replace(",", sign) for n in wanted]
    lines = [separator.join(("date", "count"))]
    lines += [f"{day:%Y-%m-%d}{separator}{cell}" for day, cell in zip(DAYS, cells, strict=True)]
    np.testing.assert_array_equal(values_of(write(tmp_path / "a.csv", lines)), wanted)


def test_three_decimals_are_no_thousands_where_a_neighbour_proves_the_point(tmp_path: Path) -> None:
    lines = ["Date;power;voltage"]
    lines += [f"{day:%d/%m/%Y};{0.2 + n % 7:.3f};{230 + n % 9}.840" for n, day in enumerate(DAYS)]
    name = write(tmp_path / "a.csv", lines)
    np.testing.assert_allclose(values_of(name, 1), 230.84 + np.arange(ROWS) % 9)


@pytest.mark.parametrize("decimal", [",", "."])
def test_a_person_may_name_the_decimal_sign(tmp_path: Path, decimal: str) -> None:
    wanted = np.random.default_rng(3).integers(1100, 1900, ROWS)
    cells = [f"{n:,}".replace(",", ".") for n in wanted]
    lines = ["date;rate", *(f"{day:%Y-%m-%d};{c}" for day, c in zip(DAYS, cells, strict=True))]
    name = write(tmp_path / "a.csv", lines) + f"?decimal={decimal}"
    wanted = wanted if decimal == "," else wanted / 1000
    np.testing.assert_allclose(values_of(name), wanted)


def test_decimals_with_both_signs_in_a_column_are_refused(tmp_path: Path) -> None:
    lines = ["date;a", *(f"{day:%Y-%m-%d};{n}{'.,'[n % 2]}5" for n, day in enumerate(DAYS))]
    with pytest.raises(LabError, match="column a writes decimals in some rows with a point"):
        datasets.load(write(tmp_path / "a.csv", lines))


# --- gaps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", ["", "?", "-", "n/a", "NaN", "NULL", "#N/A", "k.A.", "."])
def test_the_value_before_stands_for_a_few_gaps(tmp_path: Path, gap: str) -> None:
    cells = [f"{v:.3f}" for v in WALK]
    cells[50] = cells[51] = gap
    lines = ["date,price", *(f"{d:%Y-%m-%d},{c}" for d, c in zip(DAYS, cells, strict=True))]
    name = write(tmp_path / "a.csv", lines)
    read = values_of(name)
    assert read[50] == read[51] == read[49]
    assert understood(name).columns[1].values == ROWS - 2
    assert "price holds no value in 2 rows" in understood(name).notes[0]


def test_a_column_that_begins_late_is_named_with_the_cure(tmp_path: Path) -> None:
    lines = ["date,price,late"]
    lines += [
        f"{d:%Y-%m-%d},{v:.2f},{v if n > 40 else ''}"
        for n, (d, v) in enumerate(zip(DAYS, WALK, strict=True))
    ]
    name = write(tmp_path / "a.csv", lines)
    assert used(name)["value"] == ["price"]
    [item] = understood(name).left_out
    assert item.what == "late"
    assert "first 41 of 120 rows hold no value: name it in values=" in item.why
    asked = f"{name}?values=price,late&window=8"
    assert len(values_of(asked)) == ROWS - 41
    assert understood(asked).left_out[-1].count == 41


def test_a_column_that_begins_a_little_late_costs_those_rows(tmp_path: Path) -> None:
    lines = ["date,price,mean"]
    lines += [
        f"{d:%Y-%m-%d},{v:.2f},{v if n > 4 else '-'}"
        for n, (d, v) in enumerate(zip(DAYS, WALK, strict=True))
    ]
    name = write(tmp_path / "a.csv", lines)
    assert used(name)["value"] == ["price", "mean"]
    assert [(item.what, item.count) for item in understood(name).left_out] == [("rows", 5)]


def test_columns_that_are_not_used_are_named(tmp_path: Path) -> None:
    lines = [",date,price,town,nothing,holes"]
    lines += [
        f"{n},{d:%Y-%m-%d},{v:.2f},Ulm,,{n if n % 2 else '?'}"
        for n, (d, v) in enumerate(zip(DAYS, WALK, strict=True))
    ]
    told = understood(write(tmp_path / "a.csv", lines))
    assert [column.name for column in told.columns] == ["date", "price"]
    assert {item.what: item.why.split(":")[0] for item in told.left_out} == {
        "column 1": "it only counts the rows",
        "holes": "it holds no value in 60 of 120 rows"
        if "60 of" in str(told.left_out)
        else "it holds no value in 59 of 120 rows",
        "town": "columns that hold no numbers",
        "nothing": "columns that hold nothing",
    }


# --- times ----------------------------------------------------------------------------------

HOURS = [datetime(2019, 1, 1) + timedelta(hours=7 * n) for n in range(ROWS)]
TIMES: dict[str, Callable[[datetime], str]] = {
    "day first, dots": lambda t: f"{t:%d.%m.%Y %H:%M}",
    "day first, slashes": lambda t: f"{t:%d/%m/%Y %H:%M:%S}",
    "month first": lambda t: f"{t:%m/%d/%Y %I:%M %p}",
    "month first, short": lambda t: f"{t.month}/{t.day}/{t:%y %H:%M}",
    "two digits": lambda t: f"{t:%d.%m.%y %H:%M}",
    "short month": lambda t: f'"{t:%b %d, %Y %H:%M}"',
    "long month": lambda t: f'"{t:%B} {t.day}, {t:%Y %I:%M %p}"',
    "month in the middle": lambda t: f"{t:%d-%b-%Y %H:%M}",
    "weekday": lambda t: f'"{t:%a, %d %b %Y %H:%M:%S} GMT"',
    "Chinese": lambda t: f"{t.year}年{t.month}月{t.day}日 {t.hour}时{t.minute}分",
    "Korean": lambda t: (
        f"{t:%Y}. {t.month}. {t.day}. {'오전' if t.hour < 12 else '오후'} {t:%I:%M}"
    ),
    "Korean, words": lambda t: f"{t:%Y}년 {t.month}월 {t.day}일 {t:%H}시 {t:%M}분",
    "Hungarian": lambda t: f"{t:%Y. %m. %d. %H:%M}",
    "compact": lambda t: f"{t:%Y%m%d %H%M%S}"[:8] + f" {t:%H:%M}",
    "ISO": lambda t: t.isoformat(),
    "ISO, Z": lambda t: t.isoformat() + "Z",
    "ISO, fraction": lambda t: t.isoformat() + ".123",
    "offset": lambda t: t.isoformat() + "+09:00",
    "place": lambda t: t.isoformat() + "+01:00[Europe/Berlin]",
    "name of a zone": lambda t: f"{t:%Y-%m-%d %H:%M} EST",
    "zone by hours": lambda t: f"{t:%Y-%m-%d %H:%M} UTC+2",
    "epoch": lambda t: str(int(t.timestamp())),
    "milliseconds": lambda t: str(int(t.timestamp() * 1000)),
    "year first, dots": lambda t: f"{t:%Y.%m.%d %H:%M}",
}


@pytest.mark.parametrize("kind", TIMES)
def test_times_are_read_as_people_write_them(tmp_path: Path, kind: str) -> None:
    lines = ["when,price"]
    lines += [f"{TIMES[kind](t)},{v:.3f}" for t, v in zip(HOURS, WALK, strict=True)]
    header = lines[0].replace("when", "timestamp")
    name = write(tmp_path / "a.csv", [header, *lines[1:]])
    assert used(name) == {"time": ["timestamp"], "value": ["price"]}
    assert len(values_of(name)) == ROWS


@pytest.mark.parametrize("kind", ["day first, dots", "month first", "Korean", "long month"])
def test_a_step_back_is_found_in_every_way_of_writing(tmp_path: Path, kind: str) -> None:
    lines = [f"{TIMES[kind](t)},{v:.3f}" for t, v in zip(HOURS, WALK, strict=True)]
    lines[60], lines[90] = lines[90], lines[60]
    with pytest.raises(LabError, match=r"row 63.*earlier than the row above it"):
        datasets.load(write(tmp_path / "a.csv", ["date,price", *lines]))


@pytest.mark.parametrize(
    "form", ["%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%d-%m-%y %H:%M"]
)
def test_which_is_the_day_stays_open_until_one_fails(tmp_path: Path, form: str) -> None:
    times = [datetime(2009, 1, 1) + timedelta(minutes=10 * n) for n in range(2500)]
    lines = ['"Date Time","T (degC)"', *(f"{t:{form}},{n % 83}" for n, t in enumerate(times))]
    name = write(tmp_path / "jena.csv", lines)
    assert len(values_of(name)) == 2500
    first = "the month first" if form.startswith("%m") else "the day first"
    assert f"Dates are read with {first}." in understood(name).notes


@pytest.mark.parametrize(
    ("names", "form"),
    [
        ("Date;Time", "{t.day}/{t.month}/{t.year};{t:%H:%M:%S}"),
        ("<DATE>;<TIME>", "{t:%Y.%m.%d};{t:%H:%M}"),
        ("<DATE>;<TIME>", "{t:%Y%m%d};{t:%H%M%S}"),
        ("time;date", "{t:%H:%M};{t:%d.%m.%y}"),
        ("Datum;Uhrzeit", "{t:%d.%m.%Y};{t:%H:%M}"),
        ("date;hour", "{t:%Y-%m-%d};{t.hour}"),
        ("Date;Local Time", "{t:%m/%d/%Y};{t:%I:%M %p}"),
    ],
)
def test_a_date_and_a_clock_in_two_columns_are_one_time(tmp_path, names: str, form: str) -> None:
    times = [datetime(2006, 12, 16, 17) + timedelta(hours=n) for n in range(ROWS)]
    lines = [f"{names};power"]
    lines += [f"{form.format(t=t)};{v:.2f}" for t, v in zip(times, WALK, strict=True)]
    name = write(tmp_path / "power.csv", lines)
    assert sorted(used(name)["time"]) == sorted(names.split(";"))
    assert used(name)["value"] == ["power"]


def test_year_month_day_and_hour_in_columns_are_one_time(tmp_path: Path) -> None:
    lines = ["No,year,month,day,hour,pm2.5"]
    lines += [
        f"{n + 1},{t.year},{t.month},{t.day},{t.hour},{v:.1f}"
        for n, (t, v) in enumerate(zip(HOURS, WALK, strict=True))
    ]
    name = write(tmp_path / "beijing.csv", lines)
    assert used(name) == {"time": ["year", "month", "day", "hour"], "value": ["pm2.5"]}


@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
def test_the_hour_that_comes_twice_is_read_and_said(tmp_path, minutes: int, zone: str) -> None:
    begin = datetime(2021, 4, 1 if "Aus" in zone else 28, tzinfo=UTC)
    begin = begin if "Aus" in zone else begin.replace(month=10)
    count = 24 * 60 // minutes * 14
    local = [
        (begin + timedelta(minutes=minutes * n)).astimezone(ZoneInfo(zone)) for n in range(count)
    ]
    lines = ["time,temp", *(f"{t:%Y-%m-%d %H:%M},{n % 13}" for n, t in enumerate(local))]
    name = write(tmp_path / "local.csv", lines)
    assert len(values_of(name)) == count
    assert "Clocks were set back" in understood(name).notes[0]


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M %Z"])
def test_with_offsets_or_names_of_zones_no_hour_comes_twice(tmp_path: Path, form: str) -> None:
    begin = datetime(2021, 10, 28, tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")
    local = [(begin + timedelta(minutes=30 * n)).astimezone(zone) for n in range(400)]
    lines = ["time,temp", *(f"{t.strftime(form)},{n % 13}" for n, t in enumerate(local))]
    assert understood(write(tmp_path / "a.csv", lines)).notes == ()


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%Y-%m-%d", "%m/%d/%Y"])
def test_midnight_may_be_written_as_24_hours(tmp_path: Path, form: str) -> None:
    times = [datetime(2021, 3, 1) + timedelta(hours=n + 1) for n in range(300)]
    cells = [
        f"{t - timedelta(days=1):{form}} 24:00" if t.hour == 0 else f"{t:{form}} {t:%H:%M}"
        for t in times
    ]
    lines = ["time,temp", *(f"{cell},{n % 13}" for n, cell in enumerate(cells))]
    assert len(values_of(write(tmp_path / "a.csv", lines))) == 300


def test_newest_first_is_read_from_the_end(tmp_path: Path) -> None:
    lines = [f"{d:%Y-%m-%d},{v:.3f}" for d, v in zip(DAYS, WALK, strict=True)][::-1]
    name = write(tmp_path / "a.csv", ["date,price", *lines])
    np.testing.assert_allclose(values_of(name), WALK, atol=0.001)
    assert "The newest row comes first: the rows are read from the end." in understood(name).notes


@pytest.mark.parametrize("form", ["%Y|%j", "%H:%M on %d %m %y", "week of %d~%m~%Y"])
def test_a_person_may_say_how_times_are_written(tmp_path: Path, form: str) -> None:
    lines = ["date;price", *(f"{d:{form}};{v:.2f}" for d, v in zip(DAYS, WALK, strict=True))]
    name = write(tmp_path / "a.csv", lines)
    assert len(values_of(f"{name}?format={form}")) == ROWS


def test_a_time_that_is_not_known_is_refused_with_that_cure(tmp_path: Path) -> None:
    lines = ["date;price", *(f"day {n};{v:.2f}" for n, v in enumerate(WALK))]
    with pytest.raises(LabError, match=r"'day 0' is no time: say how .* with format="):
        datasets.load(write(tmp_path / "a.csv", lines))


# --- several series -------------------------------------------------------------------------


def of_series(order: str, column: str = "Name") -> list[str]:
    rows = [
        (f"{day:%Y-%m-%d}", f"{100 * k + v:.3f}", name)
        for k, name in enumerate(("AAL", "AAPL", "MSFT"))
        for day, v in zip(DAYS, WALK, strict=True)
    ]
    rows = sorted(rows) if order == "mixed" else rows
    return [f"date,close,{column}", *(",".join(row) for row in rows)]


@pytest.mark.parametrize("order", ["below", "mixed"])
@pytest.mark.parametrize("column", ["Name", "station"])
def test_several_series_are_told_apart_and_no_row_is_to_be_thrown_away(
    tmp_path: Path, order: str, column: str
) -> None:
    path = write(tmp_path / "long.csv", of_series(order, column))
    with pytest.raises(LabError) as caught:
        datasets.load(path)
    assert f"3 series, told apart by the column {column} (AAL, AAPL, MSFT)" in str(caught.value)
    assert f"series={column}=AAL" in str(caught.value)
    assert "keep one" not in str(caught.value)
    assert "sort the rows" not in str(caught.value)


@pytest.mark.parametrize("order", ["below", "mixed"])
def test_one_of_several_series_can_be_taken(tmp_path: Path, order: str) -> None:
    name = write(tmp_path / "long.csv", of_series(order)) + "?series=Name=AAPL"
    np.testing.assert_allclose(values_of(name), 100 + WALK, atol=0.001)
    assert used(name) == {"time": ["date"], "series": ["Name"], "value": ["close"]}


def test_each_series_is_learnt_as_its_own_and_in_the_order_of_time(tmp_path: Path) -> None:
    name = write(tmp_path / "long.csv", of_series("below")) + "?series=Name&window=8"
    data = datasets.load(name)
    one = datasets.load(name.replace("series=Name", "series=Name=AAL"))
    assert len(data.labels) == 3 * len(one.labels)
    # Three series that differ by a constant are the same once each is scaled by itself.
    np.testing.assert_allclose(data.images[::3], one.images, atol=1e-4)
    np.testing.assert_allclose(data.images[1::3], one.images, atol=1e-4)
    np.testing.assert_array_equal(data.labels[::3], one.labels)
    assert datasets.info(name).train_images == len(data.labels)
    assert datasets.info(name).image_shape == (8, 1, 1)


def test_a_series_that_is_not_there_is_named(tmp_path: Path) -> None:
    name = write(tmp_path / "long.csv", of_series("below"))
    with pytest.raises(LabError, match="no series 'IBM' in the column Name: it has AAL, AAPL"):
        datasets.load(name + "?series=Name=IBM")
    with pytest.raises(LabError, match="no column 'Symbol' to tell series apart"):
        datasets.load(name + "?series=Symbol")


# --- headers --------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("name", ['"Temperature, 2 m, in the shade"', "Temp (2 m, shade, degC)"])
def test_commas_in_a_name_are_no_separators(tmp_path: Path, separator: str, name: str) -> None:
    lines = [separator.join(("time", name, "rh"))]
    lines += [separator.join((str(t), f"{v:.1f}", "40")) for t, v in zip(HOURS, WALK, strict=True)]
    assert used(write(tmp_path / "a.csv", lines))["value"][0] == name.strip('"')


@pytest.mark.parametrize("hint", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;"])
@pytest.mark.parametrize("columns", [1, 2])
def test_the_hint_of_excel_is_believed(tmp_path: Path, hint: str, columns: int) -> None:
    rows = [
        "date;close;volume",
        *(f"{d:%Y-%m-%d};{v:.2f};4" for d, v in zip(DAYS, WALK, strict=True)),
    ]
    lines = [hint, *(";".join(row.split(";")[: columns + 1]) for row in rows)]
    name = write(tmp_path / "a.csv", lines)
    assert used(name) == {"time": ["date"], "value": ["close", "volume"][:columns]}


@pytest.mark.parametrize(
    "row",
    [
        "{ms},{v:.2f},{v:.3f}",
        "{t:%Y-%m-%d %H:%M},{v:.2f}",
        "{t:%d.%m.%Y};{v:.1f};{n}",
        "A,{ms},{v}",
    ],
)
def test_without_a_line_of_names_the_first_row_is_kept(tmp_path: Path, row: str) -> None:
    days = [datetime(2019, 1, 1) + timedelta(days=n) for n in range(ROWS)]
    lines = [
        row.format(t=t, ms=int(t.timestamp() * 1000), v=v, n=n * n)
        for n, (t, v) in enumerate(zip(days, WALK, strict=True))
    ]
    name = write(tmp_path / "klines.csv", lines)
    assert len(values_of(name)) == ROWS
    assert understood(name).columns[0].name in ("column 1", "column 2")
    assert "No line names the columns" in understood(name).notes[0]


def test_names_that_are_numbers_are_names(tmp_path: Path) -> None:
    lines = [
        "date,101,102",
        *(f"{d:%Y-%m-%d},{v:.2f},3.5" for d, v in zip(DAYS, WALK, strict=True)),
    ]
    assert used(write(tmp_path / "a.csv", lines))["value"] == ["101", "102"]


@pytest.mark.parametrize(
    ("above", "names"),
    [
        (["time,temp,rh", "(UTC),degC,%"], ["temp", "rh"]),
        (["Price,Close,High", "Ticker,AAPL,AAPL", "Date,,"], ["Close", "High"]),
        (["latitude,longitude,elevation,zone", "52.5,13.4,38,GMT", "", "time,t,r"], ["t", "r"]),
        (["# station 7", "# made by a logger", "time,t,r"], ["t", "r"]),
        (["Station,Ulm,", "time,t,r"], ["t", "r"]),
    ],
)
def test_several_lines_above_the_rows_are_told_apart(tmp_path: Path, above, names) -> None:
    rows = [f"{t},{v:.2f},{40 + n % 7}" for n, (t, v) in enumerate(zip(HOURS, WALK, strict=True))]
    name = write(tmp_path / "a.csv", above + rows)
    assert used(name)["value"] == names
    assert len(values_of(name)) == ROWS
    [item] = understood(name).left_out
    assert item.count == len(above) - 1


@pytest.mark.parametrize("first", ["", "Unnamed: 0", "index"])
def test_a_column_that_counts_the_rows_is_left_out(tmp_path: Path, first: str) -> None:
    lines = [f"{first},time,close"]
    lines += [f"{n},{t},{v:.2f}" for n, (t, v) in enumerate(zip(HOURS, WALK, strict=True))]
    name = write(tmp_path / "a.csv", lines)
    assert used(name) == {"time": ["time"], "value": ["close"]}
    assert understood(name).left_out[0].why == "it only counts the rows"


def test_where_only_the_rows_are_counted_that_is_the_time(tmp_path: Path) -> None:
    lines = [",close", *(f"{n},{v:.2f}" for n, v in enumerate(WALK))]
    assert used(write(tmp_path / "a.csv", lines)) == {"time": ["column 1"], "value": ["close"]}


def test_the_names_that_r_leaves_out_are_found(tmp_path: Path) -> None:
    pairs = zip(HOURS, WALK, strict=True)
    lines = ["time,close", *(f"{n},{t},{v:.2f}" for n, (t, v) in enumerate(pairs, 1))]
    assert used(write(tmp_path / "a.csv", lines)) == {"time": ["time"], "value": ["close"]}


# --- encodings and containers ---------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_mark_of_the_encoding_is_understood(tmp_path: Path, encoding: str) -> None:
    lines = ["Größe\tdate", *(f"{v:.2f}\t{d:%Y-%m-%d}" for d, v in zip(DAYS, WALK, strict=True))]
    assert used(write(tmp_path / "a.csv", lines, encoding))["value"] == ["Größe"]


@pytest.mark.parametrize("inner", ["prices.csv", "data/prices.tsv", "Kurse.CSV"])
def test_an_archive_around_a_single_table_is_that_table(tmp_path: Path, inner: str) -> None:
    text = "\n".join(
        ["date,price", *(f"{d:%Y-%m-%d},{v:.2f}" for d, v in zip(DAYS, WALK, strict=True))]
    )
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("__MACOSX/._prices", "x")
        archive.writestr(inner, text)
    data = datasets.load(str(tmp_path / "a.zip"))
    assert (data.kind, len(data.labels)) == ("series", ROWS - 32)
    assert len(datasets.load(f"{tmp_path / 'a.zip'}?window=8").labels) == ROWS - 8
