"""Twenty visitors of a real shared server: they follow, they bet, and nothing else they may.

Nothing here is timed: each step waits until everybody sees what is to be seen.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from urllib.parse import parse_qs

import pytest
from streamlit.util import calc_hash

from bench.serving import serving
from bench.visitor import Visitor
from cnnlab.commands.share import command
from cnnlab.sharing import PASSPHRASE
from cnnlab.ui import rights

WORD, CROWD = "open sesame", 20
PATIENCE_SECONDS = 400.0
"""For one step, on a machine that has much else to do."""
VERDICT = re.compile("<p>(Nearest|Equally near): .*</p>")
SHORT = "preset=tiny&dataset=shapes&train_limit=400&epochs=1&threads=1"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A lab shared on the network, as `make share` starts it."""
    home = tmp_path_factory.mktemp("home")
    with serving(home, lambda port: command(port, []), {PASSPHRASE: WORD}) as server:
        yield server.url


@asynccontextmanager
async def room(url: str, visitors: int) -> AsyncIterator[tuple[Visitor, list[Visitor]]]:
    """A presenter, and visitors who have come in; no timers yet."""
    async with AsyncExitStack() as stack:
        presenter = await stack.enter_async_context(Visitor(url))
        await presenter.rerun(presenter.text(rights.WORD, WORD), presenter.click("rights.in"))
        presenter.forget_all()
        await presenter.go("history")
        if not leads(presenter):  # one of the test before has not been silent for long enough
            await presenter.rerun(presenter.flag("room.leads", True))
        crowd = [await stack.enter_async_context(Visitor(url)) for _ in range(visitors)]
        yield presenter, crowd


def leads(presenter: Visitor) -> bool:
    toggle = presenter.widget("room.leads")
    return toggle.value if toggle.set_value else toggle.default


async def see(visitors: Sequence[Visitor], done: Callable[[Visitor], object], what: str) -> None:
    """Wait until something is so for every visitor."""
    end = monotonic() + PATIENCE_SECONDS
    while late := [one for one in visitors if not done(one)]:
        assert not [error for one in visitors for error in one.errors]
        assert monotonic() < end, f"{len(late)} of {len(visitors)} do not see {what}: " + "; ".join(
            f"{one.where} (follows: {on(one, 'room.stop')})" for one in late
        )
        await asyncio.sleep(0.2)


def on(visitor: Visitor, key: str) -> bool:
    """Whether something with this key is on the visitor's page."""
    return any(proto.id.endswith(f"-{key}") for proto in visitor.widgets())


def at(visitor: Visitor, page: str) -> bool:
    """Whether the visitor is on a page, drawn to its end."""
    return visitor._page_hash == calc_hash(page) and on(visitor, "rights.in")


def shown(visitor: Visitor) -> list[str]:
    """The texts on the visitor's page."""
    drawn = (getattr(one, one.WhichOneof("type") or "empty") for one in visitor.elements.values())
    return [proto.body for proto in drawn if hasattr(proto, "body")]


def told(visitor: Visitor) -> str:
    """Who was nearest, as this visitor's page has it in the end; empty before."""
    return next((text for text in shown(visitor) if VERDICT.fullmatch(text)), "")


# --- an evening -----------------------------------------------------------------------------


async def follow_and_bet(url: str) -> None:
    async with room(url, CROWD) as (presenter, crowd):
        for one in (presenter, *crowd):
            one.tick()
        await see(crowd, lambda one: at(one, "history"), "the history")
        stays, *followers = crowd
        await stays.rerun(stays.click("room.stop"))
        await presenter.go("race", SHORT)
        await see(followers, lambda one: at(one, "race"), "the race that is offered")
        await bet(presenter, followers)
        assert at(stays, "history")
        await race(presenter, followers)
        assert at(stays, "history")
        assert on(stays, "room.follow")
        assert not [error for one in (presenter, *crowd) for error in one.errors]


async def bet(presenter: Visitor, followers: list[Visitor]) -> None:
    """The presenter takes bets, all place one, and all see the same number of them."""
    replayed = presenter.message(presenter.click("bets.open"))
    await followers[0].send(replayed)  # a visitor opens nothing
    assert not on(followers[0], "bets.bet")
    await presenter.rerun(presenter.click("bets.open"))
    await see(followers, lambda one: on(one, "bets.bet"), "where to bet")
    for number, one in enumerate(followers):
        await one.rerun(
            one.text("bets.name", f"Visitor {number}"),
            one.number("bets.times", 1 + number / 2),
            one.click("bets.bet"),
        )
        await see([one], lambda one: "You bet" in "".join(shown(one)), "their bet")
    count = f"{len(followers)} bets"
    await see([presenter, *followers], lambda one: count in shown(one), "all bets")


async def race(presenter: Visitor, followers: list[Visitor]) -> None:
    """All see the race to its end, and the same name of who was right."""
    await presenter.rerun(presenter.flag("race-whole", True))
    await see([presenter], lambda one: not one.widget("race-start").disabled, "the devices")
    await presenter.rerun(presenter.click("race-start"))
    await see(followers, lambda one: "race=" in one.query, "the race")
    assert len({one.query for one in followers}) == 1
    await see([presenter, *followers], told, "who was right")
    assert len({told(one) for one in (presenter, *followers)}) == 1
    assert not any(on(one, "bets.bet") for one in followers)


@pytest.mark.timeout(1500)
def test_twenty_visitors_follow_bet_and_see_who_was_right(shared: str) -> None:
    asyncio.run(follow_and_bet(shared))


# --- messages that cross --------------------------------------------------------------------


def late_poll(visitor: Visitor) -> Callable[[], Awaitable[None]]:
    """What a timer sends from where the visitor is now; to be sent when it is elsewhere."""
    (fragment,) = visitor.timers()
    data = visitor.message(fragment=fragment, timer=True)
    return lambda: visitor.poll(fragment, data)


async def move_and_cross(url: str) -> None:
    async with room(url, 1) as (presenter, (visitor,)):
        poll, press = late_poll(visitor), visitor.message()
        await presenter.go("data")
        await poll()
        assert at(visitor, "data")
        for cross in (poll, lambda: visitor.send(press)):
            await cross()
            assert at(visitor, "data")
            assert on(visitor, "room.stop")
        await visitor.go("compare")  # which is a choice
        assert on(visitor, "room.follow")


def test_what_was_sent_before_a_browser_heard_of_a_move_is_no_choice(shared: str) -> None:
    asyncio.run(move_and_cross(shared))


async def change_and_cross(url: str) -> None:
    async with room(url, 0) as (presenter, _):
        await presenter.go("", "preset=tiny")
        (fragment,) = presenter.timers()
        first = presenter.number("form.model.blocks.0.convs.0.filters", 16)
        late = presenter.message(first, fragment=fragment, timer=True)
        await presenter.rerun(presenter.click("remove_block_0"))
        changed = parse_qs(presenter.query)
        assert changed == {"preset": ["tiny"], "blocks": ["32x3-p2"]}
        await presenter.poll(fragment, late)
        assert parse_qs(presenter.query) == changed


def test_what_a_browsers_fields_said_before_a_button_changed_them_is_not_taken(shared: str) -> None:
    asyncio.run(change_and_cross(shared))


async def start_and_cross(url: str) -> None:
    async with room(url, 0) as (presenter, _):
        await presenter.go("", SHORT)
        poll = late_poll(presenter)
        await presenter.rerun(presenter.click("start"))
        assert "run=" in presenter.query
        await poll()
        assert "run=" in presenter.query
        async with Visitor(url) as visitor:
            assert visitor.query == presenter.query


def test_what_a_presenters_browser_sent_before_leads_nobody_back(shared: str) -> None:
    asyncio.run(start_and_cross(shared))
