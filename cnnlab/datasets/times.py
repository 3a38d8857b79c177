"""Times as people write them, as seconds: only that they rise is asked of them.

A time is a date, a clock or both. A date has three fields in one of the orders in `ORDERS`, or two
where there is no day; months may be English names. Which order a column has is left open until one
fails. Clocks may have a fraction, AM or PM, an offset or the name of a zone, and 24:00.
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import pandas as pd

Order = Literal["ymd", "dmy", "mdy"]
ORDERS: tuple[Order, ...] = ("ymd", "dmy", "mdy")
DAY = 86_400.0
LONGEST = 60
"""Signs of the longest time."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?:{'|'.join(_MONTHS)})[a-z]*\.?"
_DATE = (
    rf"(?:(?P<a>\d{{1,4}}|{_MONTH})[-/.\s]+(?P<b>\d{{1,2}}|{_MONTH})[-/.\s]+(?P<c>\d{{1,4}})"
    r"|(?P<y8>\d{4})(?P<m8>\d\d)(?P<d8>\d\d)"
    rf"|(?P<p>\d{{4}}|{_MONTH}|\d{{1,2}})[-/.\s]+(?P<q>\d{{2,4}}|{_MONTH}|\d{{1,2}})"
    r"|(?P<yq>\d{4})[-\s]?q(?P<quarter>[1-4]))"
)
_CLOCK = (
    r"(?:(?P<before>[ap]m)\s+)?(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2}))?"
    r"(?::(?P<second>\d{1,2}(?:\.\d+)?))?(?:\s*(?P<after>[ap]m))?"
)
_ZONE = r"\s*(?P<zone>z|[-+]\d{1,2}(?::?\d\d)?)"
_TIME = re.compile(rf"{_DATE}(?:[\s_t:.]+{_CLOCK}(?:{_ZONE})?)?", re.IGNORECASE)
_CLOCK_ALONE = re.compile(
    r"(?:(?P<before>[ap]m)\s+)?(?:(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}(?:\.\d+)?))?"
    r"|(?P<h6>\d{1,2})(?P<m6>\d\d)(?P<s6>\d\d)|(?P<h4>\d\d)(?P<m4>\d\d))(?:\s*(?P<after>[ap]m))?"
    rf"(?:{_ZONE})?",
    re.IGNORECASE,
)
_HALVES = {"오전": "am", "오후": "pm", "上午": "am", "下午": "pm", "午前": "am", "午後": "pm"}
_HOURS: dict[str, float] = {
    **{"utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "cest": 2, "mez": 1, "mesz": 2},
    **{
        "eet": 2,
        "eest": 3,
        "sast": 2,
        "msk": 3,
        "msd": 4,
        "gst": 4,
        "pkt": 5,
        "ist": 5.5,
        "ict": 7,
    },
    **{"wib": 7, "hkt": 8, "sgt": 8, "awst": 8, "jst": 9, "kst": 9, "acst": 9.5, "acdt": 10.5},
    **{"aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "brt": -3, "brst": -2, "art": -3, "clt": -4},
    **{"clst": -3, "nst": -3.5, "ndt": -2.5, "ast": -4, "adt": -3, "est": -5, "edt": -4, "cst": -6},
    **{"cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10},
}
"""Names of zones, as hours before Greenwich: of those with several meanings the one that has a
summer time, for within a file only the difference counts."""
_ZONE_NAME = re.compile(
    rf"\s*\(?\b({'|'.join(_HOURS)})\b\)?\s*(?P<more>[-+]\d{{1,2}}(?::?\d\d)?)?$", re.IGNORECASE
)
_PLAIN = re.compile(r"[\d\s:/.tz+-]*", re.IGNORECASE)


def _simple(text: str) -> str:
    """One cell in the few ways of writing that the patterns know."""
    text = text.strip()
    if not _PLAIN.fullmatch(text):
        text = _worded(text)
    # 2020. 1. 5. as Koreans and Hungarians write it
    return re.sub(r"^(\d{4})\.\s*(\d{1,2})\.\s*(\d{1,2})\.", r"\1-\2-\3 ", text).strip()


def _worded(text: str) -> str:
    text = re.sub(r"\[[\w/+-]+\]$", "", text)  # the place, behind an offset
    for word, half in _HALVES.items():
        text = text.replace(word, f" {half} ")
    text = re.sub(r"(\d)\s*[年년月월]\s*", r"\1-", text)
    text = re.sub(r"(\d)\s*[日일]\s*", r"\1 ", text)
    text = re.sub(r"(\d)\s*[時时点點시]\s*$", r"\1:00", text)
    text = re.sub(r"(\d)\s*[時时点點시分분]\s*(?=\d)", r"\1:", text)
    text = re.sub(r"(\d)\s*[分분秒초]\s*$", r"\1", text)
    text = re.sub(r"(?<=:\d\d),(?=\d)", ".", text)
    text = re.sub(r"\b([ap])\.?\s?m\b\.?", r"\1m", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", text, flags=re.IGNORECASE)
    text = re.sub(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", "", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(?:of|at)\b|,", " ", text, flags=re.IGNORECASE)
    if match := _ZONE_NAME.search(text):
        hours = _HOURS[match[1].lower()]
        text = text[: match.start()] + (match["more"] or _offset(hours))
    return re.sub(r"\s+", " ", text).strip(" -")


def _offset(hours: float) -> str:
    return f"{'-' if hours < 0 else '+'}{int(abs(hours)):02d}:{int(abs(hours) % 1 * 60):02d}"


def _fields(cells: pd.Series, pattern: re.Pattern[str]) -> pd.DataFrame:
    """What a pattern finds in each different cell; nothing where it does not fit whole."""
    rows = [pattern.fullmatch(_simple(cell)) if len(cell) <= LONGEST else None for cell in cells]
    empty = dict.fromkeys(pattern.groupindex)
    return pd.DataFrame([row.groupdict() if row else empty for row in rows], dtype=object)


def is_time(cell: str) -> bool:
    """Whether a cell alone looks like a date or a time of day."""
    if len(cell) > LONGEST:
        return False
    simple = _simple(cell)
    clock = ":" in simple and _CLOCK_ALONE.fullmatch(simple)
    return bool(clock or _TIME.fullmatch(simple))


def seconds(cells: pd.Series, order: Order) -> np.ndarray:
    """Times as rising numbers of seconds, float64; NaN where a cell is none in that order."""
    quick = _quickly(cells, order)
    open_ = np.flatnonzero(np.isnan(quick) & cells.notna().to_numpy())
    if len(open_):
        codes, different = pd.factorize(cells.iloc[open_])
        fields = _fields(pd.Series(different), _TIME)
        quick[open_] = (_days(fields, order) * DAY + _clock(fields))[codes]
    return quick


def _quickly(cells: pd.Series, order: Order) -> np.ndarray:
    """What pandas reads at once of times that are written as the first one is; NaN for others."""
    known = cells.dropna()
    form = _form(known.iloc[0], order) if len(known) else None
    if form is None:
        return np.full(len(cells), np.nan)
    return by_format(cells, form).copy()


def _form(cell: str, order: Order) -> str | None:
    match = re.fullmatch(
        r"(\d{1,4})([-/.])\d{1,2}\2(\d{2,4})(?:([ T])\d{1,2}:\d\d(:\d\d)?)?", cell.strip()
    )
    if not match or (len(match[1]) == 4) != (order == "ymd") or len(match[1]) == 3:
        return None
    year = "%Y" if len(match[3] if order != "ymd" else match[1]) == 4 else "%y"
    fields = {"y": year, "m": "%m", "d": "%d"}
    date = match[2].join(fields[letter] for letter in order)
    clock = f"{match[4]}%H:%M{':%S' if match[5] else ''}" if match[4] else ""
    return date + clock


def clock_seconds(cells: pd.Series) -> np.ndarray:
    """Seconds since midnight of times of day, float64; NaN where a cell is none."""
    codes, different = pd.factorize(cells.fillna(""))
    fields = _fields(pd.Series(different), _CLOCK_ALONE)
    if not len(fields):
        return np.full(len(cells), np.nan)
    for name, others in (("hour", ("h6", "h4")), ("minute", ("m6", "m4")), ("second", ("s6",))):
        for other in others:
            fields[name] = fields[name].where(fields[name].notna(), fields[other])
    found = fields["hour"].notna().to_numpy()
    return np.where(found, _clock(fields), np.nan)[codes]


def has_clock(cells: pd.Series) -> bool:
    """Whether most of these times say more than the day."""
    fields = _fields(cells, _TIME)
    return len(fields) > 0 and bool(fields["hour"].notna().mean() > 0.5)


def by_format(cells: pd.Series, form: str) -> np.ndarray:
    """Times in the format that a person named (as `strptime` knows it), in seconds.

    Raises:
        ValueError: it is no format.
    """
    times = pd.to_datetime(cells, format=form, utc=True, errors="coerce")
    return (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy()


def _number(field: pd.Series) -> np.ndarray:
    """A field as a number, an English month as its number; NaN where it is empty."""
    known = {
        text: _MONTHS.index(text[:3].lower()) + 1 if text[:1].isalpha() else float(text)
        for text in field.dropna().unique()
    }
    return field.map(known).to_numpy(dtype=np.float64, na_value=np.nan)


def _is_name(field: pd.Series) -> np.ndarray:
    return field.str[:1].str.isalpha().fillna(False).to_numpy(dtype=bool)


def _days(fields: pd.DataFrame, order: Order) -> np.ndarray:
    """Days since 1970 of each row's date, NaN where it is none in that order."""
    a, b, c = (_number(fields[name]) for name in "abc")
    year, month, day = _ordered(a, b, c, _is_name(fields["a"]), _is_name(fields["b"]), order)
    p, q = _number(fields["p"]), _number(fields["q"])
    named = _is_name(fields["p"])
    two = ~np.isnan(p)
    first = two & (p >= 1000) & ~named
    year = np.where(two, np.where(first, p, q), year)
    month = np.where(two, np.where(first, q, p), month)
    eight, quarter = _number(fields["y8"]), _number(fields["yq"])
    year = np.where(np.isnan(eight), year, eight)
    month = np.where(np.isnan(eight), month, _number(fields["m8"]))
    day = np.where(np.isnan(eight), np.where(two, 1.0, day), _number(fields["d8"]))
    in_quarter = ~np.isnan(quarter)
    year = np.where(in_quarter, quarter, year)
    month = np.where(in_quarter, 3 * _number(fields["quarter"]) - 2, month)
    return calendar(year, month, np.where(in_quarter, 1.0, day))


def _ordered(
    a: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    a_named: np.ndarray,
    b_named: np.ndarray,
    order: Order,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Year, month, day of three fields; a month's name stands where it stands."""
    if order == "ymd":
        year, month, day = a, b, c
    elif order == "dmy":
        year, month, day = c, b, a
    else:
        year, month, day = c, np.where(b_named, b, a), np.where(b_named, a, b)
    # "Jan 5 2020" is no matter of order, and neither is "5 Jan 2020".
    year = np.where(a_named, c, year)
    month = np.where(a_named, a, month)
    return year, month, np.where(a_named, b, day)


def calendar(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Days since 1970; NaN where there is no such day."""
    year = np.where(year < 100, year + np.where(year < 69, 2000, 1900), year)
    with np.errstate(invalid="ignore"):
        good = (year >= 1000) & (year <= 9999) & (month >= 1) & (month <= 12) & (day >= 1)
    safe = np.where(good, year, 2000).astype(np.int64), np.where(good, month, 1).astype(np.int64)
    months = (safe[0] - 1970) * 12 + safe[1] - 1
    start = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    end = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    days = start + np.where(good, day, 1) - 1
    return np.where(good & (days < end), days, np.nan)


def _clock(fields: pd.DataFrame) -> np.ndarray:
    """Seconds since midnight in Greenwich, 0 where no clock is written; NaN where it is none."""
    hour, minute, second = (
        np.nan_to_num(_number(fields[name])) for name in ("hour", "minute", "second")
    )
    half = fields["before"].where(fields["before"].notna(), fields["after"]).str.lower()
    pm, am = (half == "pm").to_numpy(dtype=bool), (half == "am").to_numpy(dtype=bool)
    good = (hour <= 24) & (minute < 60) & (second < 61) & ~((pm | am) & (hour > 12))
    hour = np.where(pm & (hour < 12), hour + 12, np.where(am & (hour == 12), 0, hour))
    good &= (hour < 24) | ((minute == 0) & (second == 0))
    total = hour * 3600 + minute * 60 + second - _zone_seconds(fields["zone"])
    return np.where(good, total, np.nan)


def _zone_seconds(zones: pd.Series) -> np.ndarray:
    known = {zone: _zone(zone) for zone in zones.dropna().unique()}
    return np.nan_to_num(zones.map(known).to_numpy(dtype=np.float64, na_value=np.nan))


def _zone(zone: str) -> float:
    if zone.lower() == "z":
        return 0.0
    digits = zone[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    total = int(hours) * 3600 + int(minutes) * 60
    return -float(total) if zone[0] == "-" else float(total)
