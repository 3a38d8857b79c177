"""A report as one HTML file: it opens from a disk, without a network, with its charts alive."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from cnnlab.charts import IDENTITIES, Spec
from cnnlab.report.story import tell
from cnnlab.spec import RunCard

# Every value from a card passes through the template's escaping; nothing is marked as safe but
# what this module makes itself.
_TEMPLATES = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def html(cards: Sequence[RunCard], origins: Mapping[str, str] | None = None) -> bytes:
    """The report of one or several runs, as UTF-8: to be written as it is, for the page allows its
    script by the hash of its bytes.

    Args:
        cards: steps included, in the order in which they are to stand.
        origins: by run id, where imported runs come from.
    """
    story = tell(cards, origins)
    drawn = {chart.key: _wide(chart.spec) for chart in story.charts}
    script = _script()
    page = _TEMPLATES.from_string(_file("page.html")).render(
        story=story,
        policy=_policy(script),
        mark=Markup(_mark()),
        specs=_embedded(drawn),
        at_night=json.dumps(dict(zip(*IDENTITIES.values(), strict=True))),
        script=Markup(script),
    )
    # Half a character, as a hurried cut of a text leaves it, has no place in UTF-8.
    return page.encode("utf-8", errors="replace")


def _file(name: str) -> str:
    return (files("cnnlab.report") / name).read_text(encoding="utf-8")


def _mark() -> str:
    """The lab's mark, without the address of its namespace, which a page of HTML knows."""
    drawing = (files("cnnlab") / "mark.svg").read_text(encoding="utf-8")
    return re.sub(r' xmlns="[^"]*"', ' aria-hidden="true"', drawing, count=1)


def _wide(spec: Spec) -> dict[str, Any]:
    """The chart as wide as its place, without the address of its schema."""
    wide = spec | {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
    del wide["$schema"]
    return wide


def _embedded(data: Any) -> Markup:
    """Data inside a `<script>` element: nothing in them can end it or begin a comment."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


@lru_cache(maxsize=1)
def _script() -> str:
    """Vega and the few lines that draw with it, bundled."""
    bundle = vl_convert.javascript_bundle(f"(() => {{\n{_file('page.js')}\n}})();")
    # Names of XML namespaces and an editor that stays off look like addresses. Written with a
    # backslash they are the same strings, and whoever searches the file for addresses finds none.
    return re.sub("(https?|file)://", r"\1:\\/\\/", bundle)


def _policy(script: str) -> str:
    """What the browser may do for this page: run this one script, and fetch nothing at all.

    Vega makes functions out of the charts' own expressions, for which it needs `unsafe-eval`.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' 'unsafe-eval'; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
