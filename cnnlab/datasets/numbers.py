"""Numbers as people write them: decimal commas, separated thousands, currencies, percent, gaps.

Whether `1.234` is a bit more than one, or a thousand, no cell can say. A column can: `0.5` in it
proves a decimal point, `1.234.567` a decimal comma. Where a column proves nothing, the file's other
columns do; and where they do not, thousands are those that stand beside smaller whole numbers
(`1.234` beside `987`), and all else is read with the sign that is usual for the file's separator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Sign = Literal[".", ","]

GAPS = frozenset(
    (
        *(
            "",
            "?",
            "-",
            "--",
            "---",
            "–",
            "—",
            ".",
            "..",
            "...",
            "…",
            "*",
            "n/a",
            "na",
            "n.a.",
            "n.a",
        ),
        *("nan", "null", "none", "nil", "missing", "#n/a", "#na", "#null!", "#div/0!", "#value!"),
        *("k.a.", "n.v.", "s/d", "nd", "n.d.", "없음", "無", "无", "无数据", "欠測"),
    )
)
"""What stands where there is no value, in lower case."""
_MONEY = (
    r"(?:[$€£¥₩₹₽₺₴₪฿₫₱₦₡₲₵₸₮￥￦]|US\$|R\$|C\$|A\$|HK\$|NT\$|USD|EUR|GBP|JPY|CNY|RMB|KRW|CHF|SEK|NOK|DKK"
    r"|PLN|CZK|HUF|INR|BRL|CAD|AUD|NZD|TRY|RUB|ZAR|MXN|SGD|HKD|TWD|Rs\.?|kr\.?|zł|Kč|Ft|Fr\.|元|円|원)"
)
_NUMBER = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[-+−–]?)\s*(?:{_MONEY}\s*)?(?P<after>[-+−–]?)\s*"
    r"(?P<digits>\d[\d.,'’\s]*|[.,]\d+)(?P<power>[eE][-+]?\d+)?"
    rf"\s*(?P<times>[KkMBT]|Mio\.?|Mrd\.?)?\s*(?:%|‰|°[CFK]?|{_MONEY})?\s*(?P<close>\))?"
)
_TIMES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12, "mio": 1e6, "mrd": 1e9}
_GROUPS: dict[str, re.Pattern[str]] = {
    ",": re.compile(r"[1-9]\d{0,2}(?:,\d{3})+|\d{1,2}(?:,\d\d)+,\d{3}"),  # 12,34,567 in India
    ".": re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+"),
}
_SPACED = re.compile(r"\d{1,3}(?:(?P<by>['’\s])\d{3})(?:(?P=by)\d{3})*(?P<rest>(?:[.,]\d*)?)")
OTHER: dict[Sign, Sign] = {".": ",", ",": "."}
LARGEST = float(np.finfo(np.float32).max)
"""Networks reckon in float32: what is larger would be infinite to them, and its column nothing."""


@dataclass
class Signs:
    """What the cells of a column tell of its decimal sign."""

    point: bool = False
    """A point that can only be the decimal sign."""
    comma: bool = False
    point_groups: bool = False
    """A point that could separate thousands, or decimals."""
    comma_groups: bool = False
    small: bool = False
    """Whole numbers below a thousand, without any sign."""
    large: bool = False
    """Whole numbers from a thousand on, without any sign: so thousands are not separated."""

    def see(self, digits: str) -> bool:
        """Take in one cell's digits and signs; false if they are no number at all."""
        if _SPACED.fullmatch(digits):
            digits = re.sub(r"['’\s]", "", digits)
        if re.search(r"['’\s]", digits):
            return False
        last = max(digits.rfind("."), digits.rfind(","))
        if last < 0:
            self.small |= len(digits) <= 3
            self.large |= len(digits) > 3
            return True
        sign: Sign = "." if digits[last] == "." else ","
        if digits.count(sign) > 1:  # so it separates thousands
            return bool(_GROUPS[sign].fullmatch(digits)) and self._proven(OTHER[sign])
        whole = digits[:last]
        if OTHER[sign] in whole:
            return bool(_GROUPS[OTHER[sign]].fullmatch(whole)) and self._proven(sign)
        if not _GROUPS[sign].fullmatch(digits):
            return self._proven(sign)
        self.point_groups |= sign == "."
        self.comma_groups |= sign == ","
        return True

    def _proven(self, sign: Sign) -> bool:
        self.point |= sign == "."
        self.comma |= sign == ","
        return True

    def said(self, name: str, decimal: Sign) -> list[str]:
        """What is to be said of how a column is read; nothing of plain decimals."""
        if decimal == "," and (self.comma or self.comma_groups):
            return [f"Decimals are read behind a comma in {name}."]
        if (self.point_groups and decimal == ",") or (self.comma_groups and decimal == "."):
            sign = "point" if decimal == "," else "comma"
            return [f"A {sign} is read as separating thousands in {name}."]
        return []

    def decimal(self, usual: Sign | None, separator: str) -> Sign | None:
        """The decimal sign of the column; null if its cells contradict each other.

        Args:
            usual: what other columns of the file prove; null if they prove nothing.
        """
        if self.point and self.comma:
            return None
        if self.point or self.comma:
            return "." if self.point else ","
        if self.point_groups and self.comma_groups:
            return None
        grouped: Sign | None = "." if self.point_groups else "," if self.comma_groups else None
        if grouped is None or usual:
            return usual or "."
        beside_small = self.small and not self.large
        if beside_small or (grouped == "," and separator == ","):
            return OTHER[grouped]
        return grouped


def is_gap(cell: object) -> bool:
    """Whether a cell says that there is no value."""
    return not isinstance(cell, str) or cell.strip().casefold() in GAPS


def gaps_of(cells: pd.Series) -> np.ndarray:
    """Where cells hold no value, bool (rows,)."""
    empty = cells.isna().to_numpy()
    texts = cells[~empty]
    short = texts[(texts.str.len() <= 12).to_numpy(dtype=bool)]
    said = {cell for cell in short.unique() if is_gap(cell)}
    return empty | cells.isin(said).to_numpy() if said else empty


def plain(cells: pd.Series) -> np.ndarray:
    """The cells that are numbers as a computer writes them, float64; NaN for all others, and for
    those that are too large."""
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.abs(numbers) <= LARGEST, numbers, np.nan)


def too_large(cell: str) -> bool:
    """Whether a cell is a number beyond those that networks reckon with."""
    return any(abs(_value(cell, sign)) > LARGEST for sign in OTHER)


def survey(cells: pd.Series, gaps: np.ndarray, signs: Signs) -> np.ndarray:
    """Which cells are numbers, bool (rows,); what they tell of the decimal sign goes to `signs`."""
    numbers = plain(cells)
    good = ~np.isnan(numbers)
    dotted = good & cells.str.contains(".", regex=False, na=False).to_numpy(dtype=bool)
    whole = np.abs(numbers[good & ~dotted])
    signs.small |= bool((whole < 1000).any())
    signs.large |= bool((whole >= 1000).any())
    if not (signs.point and not signs.comma):
        _see_until(signs, cells[dotted].unique())
    other = cells[~good & ~gaps]
    said = {cell: _see(cell, signs) and not too_large(cell) for cell in other.unique()}
    good[np.flatnonzero(~good & ~gaps)] = [said[cell] for cell in other]
    return good


def _see_until(signs: Signs, cells: Iterable[str]) -> None:
    """Look at plain numbers with a point, until one proves that it is the decimal sign."""
    for cell in cells:
        if "e" not in cell.lower():
            signs.see(cell.strip().lstrip("+-"))
        if signs.point:
            return


def _see(cell: str, signs: Signs) -> bool:
    match = _NUMBER.fullmatch(cell.strip())
    return match is not None and signs.see(match["digits"].strip())


def values(cells: pd.Series, decimal: Sign) -> np.ndarray:
    """The numbers in cells, float64; NaN where there is none, or one that is too large."""
    numbers = plain(cells) if decimal == "." else np.full(len(cells), np.nan)
    open_ = np.flatnonzero(np.isnan(numbers) & cells.notna().to_numpy())
    if not len(open_):
        return numbers
    rest = cells.iloc[open_]
    known = {cell: _value(cell, decimal) for cell in rest.unique()}
    read = np.array([known[cell] for cell in rest])
    numbers[open_] = np.where(np.abs(read) <= LARGEST, read, np.nan)
    return numbers


def _fits(digits: str, decimal: Sign) -> bool:
    """Whether digits and signs are a number with that decimal sign."""
    signs = Signs()
    return signs.see(digits) and not (signs.comma if decimal == "." else signs.point)


def _value(cell: str, decimal: Sign) -> float:
    match = _NUMBER.fullmatch(cell.strip())
    if not match or is_gap(cell) or not _fits(match["digits"].strip(), decimal):
        return float("nan")
    digits = (
        re.sub(r"['’\s]", "", match["digits"]).replace(OTHER[decimal], "").replace(decimal, ".")
    )
    factor = _TIMES.get((match["times"] or "").lower().rstrip("."), 1.0)
    below = {match["sign"], match["after"]} & {"-", "−", "–"} or (match["open"] and match["close"])
    try:
        number = float(digits + (match["power"] or "")) * factor
    except ValueError:
        return float("nan")
    return -number if below else number


def is_number(cell: str) -> bool:
    """Whether a cell alone looks like a number, with whatever decimal sign."""
    return _see(cell, Signs())
