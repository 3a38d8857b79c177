"""A real server, shared, with real WebSockets: who is let in, and what replays change."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bench.serving import serving
from bench.visitor import Visitor
from cnnlab.commands.share import command
from cnnlab.history import History
from cnnlab.report.cards import to_json
from cnnlab.sharing import PASSPHRASE
from cnnlab.spec import Status
from cnnlab.ui import rights
from tests.example_runs import CPU, add_run
from tests.patience import PATIENCE_SECONDS

WORD = "open sesame"
GUARDED = {PASSPHRASE: WORD}


@pytest.fixture
def shared(home) -> Iterator[str]:
    """A lab shared on the network, as `make share` starts it."""
    with serving(home, lambda port: command(port, ["lab.example.org"]), GUARDED) as server:
        yield server.url


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal that a program can hold")
def test_the_first_start_on_a_desktop_opens_the_lab_and_asks_nothing(home, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # where Streamlit keeps what it was told
    monkeypatch.setenv("BROWSER", "true")
    _, terminal = os.openpty()

    def desktop(port: int) -> list[str]:
        options = ["--server.port", str(port), "--server.headless", "false"]
        return [sys.executable, "-m", "streamlit", "run", "app.py", *options]

    with serving(home, desktop, GUARDED, stdin=terminal):
        pass  # it answers


# --- hosts and origins ----------------------------------------------------------------------


async def lets_in(url: str, host: str, origin: str | None) -> bool:
    """Whether a WebSocket is opened under that name, to a page of that origin."""
    address = url.replace("http", "ws") + "/_stcore/stream"
    real = url.rpartition("/")[2]
    try:
        async with connect(
            address.replace(real, host), origin=origin, subprotocols=["streamlit"],
            host="127.0.0.1", port=int(real.partition(":")[2]), open_timeout=60,
        ):  # fmt: skip
            return True
    except InvalidStatus as error:
        assert error.response.status_code == 403  # noqa: PT017
        return False


def test_only_its_own_names_and_pages_reach_the_lab(home):
    async def ask(url: str) -> None:
        port = url.rpartition(":")[2]
        own = f"127.0.0.1:{port}"
        assert await lets_in(url, own, url)
        assert await lets_in(url, f"localhost:{port}", f"http://localhost:{port}")
        assert await lets_in(url, own, None)  # a program, not a page
        for host in ("evil.example", f"lab.evil.example:{port}", "127.0.0.1.evil.example"):
            assert not await lets_in(url, host, f"http://{host}")
            assert not await lets_in(url, host, None)
        for origin in ("http://evil.example", f"http://evil.example:{port}", "null"):
            assert not await lets_in(url, own, origin)

    with serving(home, environment=GUARDED) as server:
        asyncio.run(ask(server.url))


def test_a_shared_lab_answers_the_names_it_was_given_and_no_others(shared):
    async def ask() -> None:
        port = shared.rpartition(":")[2]
        assert await lets_in(shared, f"lab.example.org:{port}", f"http://lab.example.org:{port}")
        assert not await lets_in(shared, f"evil.example:{port}", f"http://evil.example:{port}")

    asyncio.run(ask())


# --- replays --------------------------------------------------------------------------------


class Room:
    """A presenter and a visitor on one page, and what the visitor's messages came to."""

    def __init__(self, presenter: Visitor, viewer: Visitor, history: History) -> None:
        self.presenter, self.viewer, self.history = presenter, viewer, history
        self.tried = self.succeeded = 0
        self.acted: list[str] = []

    async def go(self, page: str, query: str = "") -> None:
        for visitor in (self.presenter, self.viewer):
            await visitor.go(page, query)

    async def act(
        self, name: str, states: Callable[[Visitor], list[WidgetState]], done: Callable[[], object]
    ) -> None:
        """Let the viewer replay a deed in every way, in vain; then let the presenter do it."""
        message = self.presenter.message(*states(self.presenter))
        forged = WidgetState(id=rights.KEY, bool_value=True)
        own = self.viewer.message(*states(self.viewer), forged)
        for data in (message, own, message):
            before = self._all()
            await self.viewer.send(data)
            await asyncio.sleep(0.3)
            self.tried += 1
            self.succeeded += self._all() != before
        await self.presenter.rerun(*states(self.presenter))
        await until(done)
        self.acted.append(name)

    def _all(self) -> list[tuple[object, ...]]:
        """What any deed would change; how far a run has come changes by itself."""
        runs = self.history.summaries(include_deleted=True)
        return sorted(
            (run.run_id, run.name, run.note, run.session, str(run.status) == "stopped",
             run.deleted_at if hasattr(run, "deleted_at") else None)
            for run in runs
        )  # fmt: skip


async def until(done: Callable[[], object]) -> None:
    end = monotonic() + PATIENCE_SECONDS
    while not done():
        assert monotonic() < end, "it did not happen"
        await asyncio.sleep(0.1)


@asynccontextmanager
async def room(url: str, history: History) -> AsyncIterator[Room]:
    async with Visitor(url) as presenter, Visitor(url) as viewer:
        await presenter.rerun(presenter.text(rights.WORD, WORD), presenter.click("rights.in"))
        presenter.forget_all()
        assert not _asks(presenter)
        assert _asks(viewer)
        yield Room(presenter, viewer, history)


def _asks(visitor: Visitor) -> bool:
    return any(proto.id.endswith("-rights.in") for proto in visitor.widgets())


async def replay_everything(url: str, history: History) -> Room:
    done_run = add_run(history, name="done", device=CPU)
    card = to_json([history.card(done_run)]).replace(done_run, "imported").encode()

    def status(run_id: str) -> Status:
        return history.card(run_id, steps=False).status

    def newest() -> str:
        return history.summaries()[0].run_id

    async with room(url, history) as here:
        long = "preset=tiny&epochs=5000&train_limit=2000"
        await here.go("", long)
        count = len(history.summaries())
        await here.act(
            "start", lambda v: [v.click("start")], lambda: len(history.summaries()) > count
        )
        running = newest()
        await until(lambda: status(running) is Status.RUNNING)
        await here.go("", long)
        await here.presenter.rerun(here.presenter.click("start"))
        waiting = newest()
        assert waiting != running
        await here.go("", long)
        await here.act(
            "withdraw",
            lambda v: [v.click(f"withdraw-{waiting}")],
            lambda: status(waiting) is Status.STOPPED,
        )
        await here.go("", f"run={running}")
        await here.act("stop", lambda v: [v.click(f"stop-{running}")], lambda: status(running).over)
        await here.go("history", f"run={done_run}")
        await here.act(
            "rename and note",
            lambda v: [v.text(f"name-{done_run}", "renamed"), v.text(f"note-{done_run}", "noted"),
                       v.click("history.save")],
            lambda: history.card(done_run).note == "noted",
        )  # fmt: skip
        await here.go("history", f"run={done_run}")
        await here.act(
            "move",
            lambda v: [v.text("history.target", "elsewhere"), v.click("history.move")],
            lambda: history.card(done_run).session == "elsewhere",
        )
        await here.go("history", f"run={done_run}")
        ids = lambda: {run.run_id for run in history.summaries()}  # noqa: E731
        await here.act(
            "delete", lambda v: [v.click("history.delete")], lambda: done_run not in ids()
        )
        await here.presenter.rerun(here.presenter.click("history.undo"))
        await until(lambda: done_run in ids())
        await here.go("compare")
        await here.act(
            "import",
            lambda v: [v.upload("compare.uploaded-0", "card.json", card)],
            lambda: "imported" in ids(),
        )
        await here.go("race", "preset=tiny")
        count = len(history.summaries())
        await here.act(
            "race", lambda v: [v.click("race-start")], lambda: len(history.summaries()) > count
        )
        raced = here.presenter.query
        await here.go("race", raced)
        await here.act(
            "stop a race", lambda v: [v.click("race-stop")], lambda: status(newest()).over
        )
        # One message, which no page offers, empties Streamlit's cache: the lab must not lie there.
        await here.go("", long)
        await here.presenter.rerun(here.presenter.click("start"))
        await until(lambda: status(newest()) is Status.RUNNING)
        await here.viewer._socket.send(BackMsg(clear_cache=True).SerializeToString())
        await here.viewer.rerun()
        await asyncio.sleep(1)
        here.tried += 1
        here.succeeded += status(newest()) is not Status.RUNNING
        await here.go("", f"run={newest()}")
        await here.presenter.rerun(here.presenter.click(f"stop-{newest()}"))
        await until(lambda: status(newest()).over)
    return here


def test_a_visitor_who_replays_a_presenters_messages_changes_nothing(shared, home):
    history = History()
    here = asyncio.run(replay_everything(shared, history))
    history.close()
    print(
        f"\n{here.tried} replays of {len(here.acted)} deeds ({', '.join(here.acted)}) and of "
        f"clear_cache: {here.succeeded} succeeded; the presenter's own {len(here.acted)} all did"
    )
    assert len(here.acted) == 9
    assert here.tried >= 27
    assert here.succeeded == 0


# --- a crowd --------------------------------------------------------------------------------


CROWD = 40
SHORT_RUN = "preset=tiny&dataset=shapes&train_limit=1500&epochs=3&device=cpu&threads=1"


async def see_the_end(url: str) -> list[Visitor]:
    """Let a crowd come in while a run trains; those who never see that it has finished."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(Visitor(url, query=SHORT_RUN))
        await first.rerun(first.click("start"))
        first.tick()
        crowd = [first]
        for _ in range(CROWD):
            crowd.append(await stack.enter_async_context(Visitor(url, query=first.query)))
            crowd[-1].tick()
        waiting, end = crowd, monotonic() + PATIENCE_SECONDS
        while waiting and monotonic() < end:
            await asyncio.sleep(0.5)
            waiting = [one for one in waiting if "Finished in" not in str(one.elements)]
        assert not any(one.errors for one in crowd)
    return waiting


def test_everybody_in_a_crowd_sees_a_run_end(home):
    with serving(home) as server:
        assert asyncio.run(see_the_end(server.url)) == []
