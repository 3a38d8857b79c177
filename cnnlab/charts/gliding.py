"""What hides the newest part of a chart's curves, until the page has drawn it away."""

from __future__ import annotations

import altair as alt

from cnnlab.analysis import Axis
from cnnlab.charts.dress import AXIS_TITLES, BEFORE, VEIL

GLIDE = "glide"
"""The id of the element whose value says how far the curves are uncovered, see `ui/glide.js`."""
FAR = 1e12
"""Beyond any axis: everything is shown."""
_POINT = 6  # pixels from the middle of a point to beyond its edge
UNCOVERED = alt.param(
    name="uncovered", value=FAR, bind=alt.BindDirect(element=f"#{GLIDE}", event=GLIDE)
)
FRONT = alt.param(name="front", expr="length(data('source')) ? peek(data('source')).x : 0")
"""The x of the last row, which is to be the newest."""


def veil(axis: Axis, span: alt.Scale) -> alt.Chart:
    """A part of the ground over a run's curves from where they are uncovered to their front."""
    front = alt.X("front:Q", title=AXIS_TITLES[axis], scale=span)
    edge = alt.expr(f"uncovered < datum.front ? {_POINT} : 0")
    return (
        alt.Chart()
        .transform_filter(alt.datum.split != BEFORE)
        .transform_aggregate(front="max(x)")
        .mark_rect(style=VEIL, tooltip=None, xOffset=edge)
        .encode(x=front, x2=alt.datum(alt.expr("min(uncovered, front)")))
        .add_params(UNCOVERED, FRONT)
    )
