"""Figures as a person says them: three significant digits, thousands separated, the unit beside."""

from __future__ import annotations

import math
from typing import Any

UNKNOWN = "–"
"""Stands where a figure could not be measured."""


def number(value: float | None, digits: int = 3) -> str:
    """`value` to `digits` significant digits, with the sign that type has: 15.1, 976,000, −0.82."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if value < 0:
        return f"−{number(-value, digits)}"
    if math.isinf(value):
        return "infinite"
    if value == 0:
        return "0"
    shown = float(f"{value:.{digits - 1}e}")
    magnitude = math.floor(math.log10(shown))
    if magnitude < -4:
        return f"{shown:g}"
    decimals = max(digits - 1 - magnitude, 0)
    text = f"{shown:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def things(kind: str | None, many: bool = True) -> str:
    """What a data set of a kind (`cnnlab.spec.Kind`) holds, as a word: pictures, or sequences."""
    word = "sequence" if kind == "series" else "picture"
    return word + ("s" if many else "")


def count(value: int | None) -> str:
    """A whole number with its thousands separated: 975,692."""
    return UNKNOWN if value is None else f"{value:,}"


def of_all(number: int, total: int) -> str:
    """Where something is that goes on: 678 of 4,000."""
    return f"{count(number)} of {count(total)}"


def percent(share: float | None) -> str:
    """A share between 0 and 1 as per cent: 0.4087 is "40.9 %"."""
    return UNKNOWN if share is None or math.isnan(share) else f"{number(100 * share)} %"


def times(ratio: float | None, digits: int = 3) -> str:
    """How many times as much: "3.4×"."""
    return UNKNOWN if ratio is None or math.isnan(ratio) else f"{number(ratio, digits)}×"


def points(difference: float | None) -> str:
    """How far two shares lie apart, in hundredths, with the sign that type has for it: "−9.8"."""
    if difference is None or math.isnan(difference):
        return UNKNOWN
    return f"{100 * difference:+.1f}".replace("-", "−")


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: "35 ms", "0.82 s", "7 min 35 s", "1 h 54 min 22 s"."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds < 0.1:
        return f"{number(1000 * seconds)} ms" if seconds else "0 s"
    if seconds < 59.95:  # from here on three digits round to a whole minute
        return f"{number(seconds)} s"
    return _clock(round(seconds))


def _clock(seconds: int) -> str:
    """Whole seconds, a minute or more, without the parts that are nought; days drop the seconds."""
    if seconds >= 86_400:
        seconds = round(seconds / 60) * 60
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    parts = ((day, "d"), (hour, "h"), (minute, "min"), (second, "s"))
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount)


def scaled(value: float | None, unit: str) -> str:
    """`value` with the decimal prefix that suits it: 18.5 GFLOP, 271 MB, 6.2 kB."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    size = float(f"{abs(value):.2e}")  # rounded first: 999,999 is 1 M, not 1,000 k
    power = min(int(math.log10(size)) // 3, 5) if size >= 1 else 0
    return f"{number(value / 1000**power)} {('', 'k', 'M', 'G', 'T', 'P')[power]}{unit}"


def size(bytes_: float | None) -> str:
    """Bytes in decimal units, as the lab's MB are 10^6 bytes."""
    return scaled(bytes_, "B")


def value(plain: Any) -> str:
    """A setting or a fact for a cell, to its last digit: "yes", "975,692", "300, 100", "none"."""
    match plain:
        case None:
            return UNKNOWN
        case bool():
            return "yes" if plain else "no"
        case int():
            return count(plain)
        case list() | tuple():
            return ", ".join(map(value, plain)) or "none"
    return str(plain)
