"""The player of a browser keeps and drops what a browser keeps and drops."""

from __future__ import annotations

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from bench.visitor import KEPT_RUNS, MessageCache, Visitor

CURVES, STATUS = ["curves"], ["status"]


def large(name: str, fragment: str = "") -> ForwardMsg:
    """A message that the server may name the next time."""
    message = ForwardMsg(hash=name)
    message.metadata.cacheable = True
    message.delta.fragment_id = fragment
    message.delta.new_element.html.body = name
    return message


def named(name: str) -> ForwardMsg:
    return ForwardMsg(ref_hash=name)


def body(message: ForwardMsg) -> str:
    return message.delta.new_element.html.body


def test_what_is_not_used_any_more_is_dropped_when_runs_have_finished() -> None:
    cache = MessageCache()
    cache.whole(large("style"))
    for _ in range(KEPT_RUNS):
        cache.finish([])
        assert body(cache.whole(named("style"))) == "style"  # which is a use
    for _ in range(KEPT_RUNS + 1):
        cache.finish([])
    assert cache.hashes() == []
    with pytest.raises(LookupError, match="keeps no more"):
        cache.whole(named("style"))


def test_a_fragments_runs_let_only_what_is_its_own_grow_old() -> None:
    cache = MessageCache()
    cache.whole(large("style"))
    cache.whole(large("chart", "curves"))
    for _ in range(KEPT_RUNS + 1):
        cache.finish(STATUS)
    assert cache.hashes() == ["style", "chart"]
    cache.finish(CURVES)
    assert cache.hashes() == ["style"]


def test_a_small_message_is_not_kept() -> None:
    cache = MessageCache()
    cache.whole(ForwardMsg(hash="small"))
    assert cache.hashes() == []


# --- what stands on the page ----------------------------------------------------------------


class Page:
    """A visitor who hears from a server what a test says."""

    def __init__(self) -> None:
        self.visitor = Visitor("http://nowhere")
        self._runs = 0

    def begin(self, page: str = "train", fragments: tuple[str, ...] = ()) -> None:
        self._runs += 1
        message = ForwardMsg()
        message.new_session.page_script_hash = page
        message.new_session.main_script_hash = "app"
        self._tell(message, fragments)

    def draw(self, place: int, text: str, fragment: str = "", script: str = "train") -> None:
        message = large(text, fragment)
        message.metadata.delta_path[:] = [place]
        message.metadata.active_script_hash = script
        self._tell(message, ())

    def finish(self, fragments: tuple[str, ...] = (), *, early: bool = False) -> None:
        status = ForwardMsg.FINISHED_EARLY_FOR_RERUN if early else ForwardMsg.FINISHED_SUCCESSFULLY
        self._tell(ForwardMsg(script_finished=status), fragments)

    def _tell(self, message: ForwardMsg, fragments: tuple[str, ...]) -> None:
        message.metadata.run.script_run_id = str(self._runs)
        message.metadata.run.fragment_ids.extend(fragments)
        self.visitor._take(message)

    @property
    def shown(self) -> list[str]:
        return [element.html.body for element in self.visitor.elements.values()]


def test_a_page_that_was_drawn_whole_shows_only_that() -> None:
    page = Page()
    page.begin()
    page.draw(0, "waits")
    page.draw(1, "queue")
    page.finish()
    page.begin()
    page.draw(0, "trains")
    page.finish(early=True)
    assert page.shown == ["trains", "queue"]
    page.begin()
    page.draw(0, "over")
    page.finish()
    assert page.shown == ["over"]


def test_a_fragment_that_was_drawn_takes_away_only_what_was_its_own() -> None:
    page = Page()
    page.begin()
    page.draw(0, "line above", "status")
    page.draw(1, "progress", "curves")
    page.draw(2, "chart", "curves")
    page.finish()
    page.begin(fragments=("curves",))
    page.draw(1, "sentence", "curves")
    page.finish(("curves",))
    assert page.shown == ["line above", "sentence"]


def test_a_timer_of_the_page_before_does_not_lead_back_to_it() -> None:
    page = Page()
    page.begin("race")
    page.draw(0, "line above", "status", script="app")
    page.draw(1, "lanes", script="race")
    page.finish()
    page.begin("train", fragments=("status",))
    page.draw(0, "line above, again", "status", script="app")
    page.finish(("status",))
    assert page.visitor._page_hash == "race"
    assert page.shown == ["line above, again"]  # a browser, too, shows the rest no more
