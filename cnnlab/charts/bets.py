"""The bets on a race."""

from __future__ import annotations

import altair as alt

from cnnlab.charts.colours import REFERENCE
from cnnlab.charts.dress import layered, once, roomy

HEIGHT, FEWEST_ROWS = 200, 6
NEAREST, LANDED = "nearest", "landed"


def bets(ink: str) -> alt.LayerChart:
    """A dot for each bet, the nearest ones dark and named, a line where the race landed.

    From `room.dots_frame`.

    Args:
        ink: of what stands out.
    """
    told = [alt.Tooltip("name:N", title="Who"), alt.Tooltip("said:N", title="Times as fast")]
    rows = alt.Scale(domainMin=0, nice=False)
    across = alt.Chart().encode(x=alt.X("times:Q", title="Times as fast", scale=roomy(type="log")))
    base = across.encode(y=alt.Y("height:Q", axis=None, scale=rows))
    bet = base.transform_filter(alt.datum.part != LANDED)
    near = base.transform_filter(alt.datum.part == NEAREST)
    landed = across.transform_filter(alt.datum.part == LANDED)
    # Few bets lie low: a single one does not hang at the ceiling.
    room = bet.transform_calculate(rows=f"max({FEWEST_ROWS}, datum.height + 1)")
    return layered(
        HEIGHT,
        room.mark_point(opacity=0).encode(y=alt.Y("rows:Q", axis=None, scale=rows)),
        landed.mark_rule(strokeWidth=3, color=ink),
        landed.mark_text(align="left", dx=6, dy=8, fontSize=14, color=ink).encode(
            y=alt.value(0), text="said:N"
        ),
        bet.mark_circle(size=150, opacity=1).encode(
            color=alt.when(alt.datum.part == NEAREST)
            .then(alt.value(ink))
            .otherwise(alt.value(REFERENCE)),
            tooltip=told,
        ),
        near.mark_text(dy=-14, fontSize=14, fontWeight=600, color=ink).encode(text="name:N"),
    )


bets_spec = once(bets)
