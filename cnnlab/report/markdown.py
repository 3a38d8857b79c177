"""A report as Markdown, for a README or a pull request, with its charts as SVG files beside it."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence

import vl_convert

from cnnlab.charts import Spec
from cnnlab.report.story import Part, Table, tell
from cnnlab.spec import RunCard

WIDTH = 720  # pixels of a chart: what a README's column shows

_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|~&$]|^[+-](?=\s))")
_NUMBER = re.compile(r"^(\d+)([.)])(?=\s)")


def markdown(
    cards: Sequence[RunCard], origins: Mapping[str, str] | None = None, *, stem: str
) -> tuple[str, dict[str, str]]:
    """A report, and the drawings that it shows by name, to lie beside it.

    Args:
        cards: steps included, in the order in which they are to stand.
        origins: by run id, where imported runs come from.
        stem: how the names of the drawings begin.
    """
    story = tell(cards, origins)
    drawings = {f"{stem}-{chart.key}.svg": _svg(chart.spec) for chart in story.charts}
    lines = [f"# {plain(story.title)}", *map(plain, story.verdicts), "## Results"]
    lines += [_table(story.results)]
    for chart, file in zip(story.charts, drawings, strict=True):
        lines += [f"## {plain(chart.title)}", f"![{plain(chart.alt)}](<{_address(file)}>)"]
    lines += ["## Time by phase", _table(story.ledger)]
    if story.differences:
        lines += ["## What differs", _table(story.differences)]
    if story.published:
        lines += ["## Published, not measured here", _table(story.published)]
    lines += [line for part in story.parts for line in _part(part)]
    return "\n\n".join(lines) + "\n", drawings


def zipped(text: str, drawings: Mapping[str, str], stem: str) -> bytes:
    """What `markdown` returns as one archive, for those who can take a single file only."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {f"{stem}.md": text, **drawings}.items():
            archive.writestr(name, content.encode(errors="replace"))
    return file.getvalue()


def plain(text: str) -> str:
    """Somebody's text on one line, so that Markdown takes no sign in it for its own."""
    text = _SIGNS.sub(r"\\\1", " ".join(text.split()))
    return _NUMBER.sub(r"\1\\\2", text).replace("://", ":\\//")


def _part(part: Part) -> Iterable[str]:
    yield f"## {plain(part.label)}"
    yield plain(part.outcome)
    if part.origin:
        yield f"Comes from: {plain(part.origin)}"
    if part.note:
        yield "\n>\n".join(f"> {plain(line)}" for line in part.note.splitlines() if line.strip())
    yield from (f"Disturbed: {plain(mark)}" for mark in part.disturbances)
    for title, table in (("Recipe", part.spec), ("Hardware and measurements", part.facts)):
        yield f"### {title}"
        yield _table(table)


def _table(table: Table) -> str:
    rows = [table.head, ("---",) * len(table.head), *table.rows]
    head, rule, *body = ["| " + " | ".join(map(plain, row)) + " |" for row in rows]
    return "\n".join([head, rule.replace("\\", ""), *body])


def _address(file: str) -> str:
    """A file name inside the pointed brackets of a link."""
    return re.sub(r"([\\<>])", r"\\\1", file)


def _svg(spec: Spec) -> str:
    """The chart on white, drawn without looking anything up elsewhere."""
    drawn = {name: value for name, value in spec.items() if name != "$schema"}
    config = {**spec["config"], "background": "white"}
    return vl_convert.vegalite_to_svg(
        drawn | {"width": WIDTH, "config": config}, allowed_base_urls=[]
    )
