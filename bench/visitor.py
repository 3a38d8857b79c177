"""A browser's end of the app's WebSocket, without the browser.

It speaks Streamlit's protocol as its front end does (1.67, `App.tsx` and `WidgetStateManager.ts`):
every rerun carries the state of all widgets and the hashes of cached messages, and a fragment's
timer asks for its rerun whether or not the last answer is there. Used by the bench of many viewers,
and by the tests that replay one browser's messages in another.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

PATIENCE_SECONDS = 300.0
KEPT_RUNS = 2
"""For how many reruns a cached message is kept without being used."""
MESSAGE_BYTES = 2**28


@dataclass
class _Kept:
    """A message that a browser keeps, the fragment it belongs to, and when it was last used."""

    message: ForwardMsg
    fragment: str
    run: int


@dataclass(frozen=True)
class _Drawn:
    """Of an element: the run that drew it last, the fragment and the page that it belongs to."""

    run: str
    fragment: str
    script: str


class MessageCache:
    """The large messages that a browser keeps, so that the server only has to name them.

    Each request tells the server which these are. One that is gone when the answer names it stops
    the page for good, so they grow old as in the front end (`ForwardMessageCache`): when a run has
    finished, and if that was a fragment's, only those that belong to the fragment.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._runs = 0

    def hashes(self) -> list[str]:
        """What the server may name instead of sending it again."""
        return list(self._kept)

    def whole(self, message: ForwardMsg) -> ForwardMsg:
        """The message that a reference stands for; any other one as it came.

        Raises:
            LookupError: it names one that is not kept.
        """
        if message.WhichOneof("type") != "ref_hash":
            if message.metadata.cacheable:
                kept = self._kept.setdefault(
                    message.hash, _Kept(message, message.delta.fragment_id, self._runs)
                )
                kept.run = self._runs
            return message
        if message.ref_hash not in self._kept:
            raise LookupError("The server names a message that this browser keeps no more.")
        kept = self._kept[message.ref_hash]
        kept.run = self._runs
        found = ForwardMsg()
        found.CopyFrom(kept.message)
        found.metadata.CopyFrom(message.metadata)
        return found

    def finish(self, fragments: Sequence[str]) -> None:
        """Count a run that has finished, of the whole page or of fragments of it."""
        self._runs += 1
        self._kept = {
            key: kept
            for key, kept in self._kept.items()
            if self._runs - kept.run <= KEPT_RUNS or (fragments and kept.fragment not in fragments)
        }


class Visitor:
    """One session of the app. Use it with `async with`."""

    def __init__(self, url: str, *, query: str = "", page: str = "") -> None:
        """
        Args:
            url: of the app, e.g. `http://127.0.0.1:8501`.
            query: of the page's address, without the question mark.
            page: the page's name in the address; empty for the first one.
        """
        self.url, self.query, self.page = url.rstrip("/"), query, page
        self.errors: list[str] = []
        """What went wrong on the page: exceptions, and boxes of errors."""
        self.sent: list[bytes] = []
        """Every message so far, to be replayed."""
        self.refresh_seconds: list[float] = []
        """Of each fragment's rerun that a timer asked for: from asking to its last message."""
        self.received_bytes = 0
        self.elements: dict[tuple[int, ...], Any] = {}
        """What is on the page, by place."""
        self.session_id = ""
        self._states: dict[str, WidgetState] = {}
        self._cache = MessageCache()
        self._page_hash = ""
        self._run = ""
        """Id of the run that draws."""
        self._heard = False
        """That run answers the last request, or was begun after it."""
        self._drawn: dict[tuple[int, ...], _Drawn] = {}
        self._timers: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._asked: dict[str, list[float]] = {}
        self._idle = asyncio.Event()
        self._ticking = False

    async def __aenter__(self) -> Visitor:
        address = urlsplit(self.url)
        self._socket: ClientConnection = await connect(
            f"ws://{address.netloc}/_stcore/stream",
            origin=self.url,  # type: ignore[arg-type]
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=MESSAGE_BYTES,
            open_timeout=PATIENCE_SECONDS,
        )
        self._reader = asyncio.create_task(self._read())
        await self.rerun()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_timers()
        await self._socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    # --- asking -------------------------------------------------------------------------------

    def message(self, *states: WidgetState, fragment: str = "", timer: bool = False) -> bytes:
        """A rerun with these states beside the known ones, as it goes over the wire."""
        asked = BackMsg()
        request = asked.rerun_script
        request.query_string, request.page_script_hash = self.query, self._page_hash
        request.page_name = "" if self._page_hash else self.page
        request.fragment_id, request.is_auto_rerun = fragment, timer
        changed = {state.id: state for state in states}
        request.widget_states.widgets.extend((self._states | changed).values())
        request.cached_message_hashes.extend(self._cache.hashes())
        request.context_info.timezone = "UTC"
        request.context_info.url = f"{self.url}/{self.page}"
        return asked.SerializeToString()

    async def send(self, data: bytes) -> None:
        """Send a message, one's own or another's, and wait until the page stands."""
        self.sent.append(data)
        self._idle.clear()
        await self._ask(data)
        await self.wait()

    async def _ask(self, data: bytes) -> None:
        self._heard = False
        await self._socket.send(data)

    async def wait(self) -> None:
        """Until the page that was asked for has been drawn."""
        idle = asyncio.create_task(self._idle.wait())
        await asyncio.wait(
            {idle, self._reader}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if not idle.done():
            idle.cancel()
            if self._reader.done():
                self._reader.result()
            raise TimeoutError(f"{self.url} did not answer, or closed the connection")

    async def rerun(self, *states: WidgetState) -> None:
        """Change widgets and run the page. What is changed stays, but for buttons."""
        await self.send(self.message(*states))
        for state in states:
            if state.WhichOneof("value") != "trigger_value":
                self._states[state.id] = state

    def forget_all(self) -> None:
        """Drop the state of every widget, as where the page has emptied them."""
        self._states.clear()

    async def go(self, page: str, query: str = "") -> None:
        """Open another page of the app in the same session."""
        self._stop_timers()
        self.page, self.query, self._page_hash = page, query, ""
        self._states.clear()
        self.errors.clear()
        await self.rerun()

    # --- the page -----------------------------------------------------------------------------

    @property
    def where(self) -> str:
        """The page and its query, as the server has named them last."""
        return f"{self._page_hash[:6]}?{self.query}"

    def widgets(self) -> Iterator[Any]:
        """Every widget on the page."""
        for element in self.elements.values():
            proto = getattr(element, element.WhichOneof("type") or "empty", None)
            if getattr(proto, "id", ""):
                yield proto

    def widget(self, key: str) -> Any:
        """The widget with the key that the page gave it.

        Raises:
            LookupError: it is not on the page.
        """
        found = [proto for proto in self.widgets() if proto.id.endswith(f"-{key}")]
        if not found:
            shown = [proto.id.rpartition("-")[2] for proto in self.widgets()]
            raise LookupError(f"no {key} on the page {self.page!r}: {shown}; {self.errors}")
        return found[0]

    def click(self, key: str) -> WidgetState:
        """The state of a button as it is pressed."""
        return WidgetState(id=self.widget(key).id, trigger_value=True)

    def text(self, key: str, value: str) -> WidgetState:
        """The state of a text field, or of a box that takes one."""
        return WidgetState(id=self.widget(key).id, string_value=value)

    def number(self, key: str, value: float) -> WidgetState:
        """The state of a field for a number."""
        return WidgetState(id=self.widget(key).id, double_value=value)

    def flag(self, key: str, value: bool) -> WidgetState:
        """The state of a toggle."""
        return WidgetState(id=self.widget(key).id, bool_value=value)

    def upload(self, key: str, name: str, data: bytes) -> WidgetState:
        """Upload a file as the browser does; the state of its uploader."""
        place = f"{self.url}/_stcore/upload_file/{self.session_id}/file-{len(self.sent)}"
        headers = {"Content-Type": "multipart/form-data; boundary=part", **_xsrf(self.url)}
        head = f'--part\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + data + b"\r\n--part--\r\n"
        urllib.request.urlopen(
            urllib.request.Request(place, body, headers, method="PUT"), timeout=PATIENCE_SECONDS
        ).close()
        state = WidgetState(id=self.widget(key).id)
        file = state.file_uploader_state_value.uploaded_file_info.add()
        file.name, file.size, file.file_id = name, len(data), f"file-{len(self.sent)}"
        file.file_urls.file_id = file.file_id
        file.file_urls.upload_url = file.file_urls.delete_url = urlsplit(place).path
        return state

    # --- hearing ------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            async for data in self._socket:
                assert isinstance(data, bytes)
                self.received_bytes += len(data)
                self._take(self._cache.whole(ForwardMsg.FromString(data)))
        except Exception as error:
            self.errors.append(f"the page stands still: {error}")
            raise

    def _take(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self._begin(message)
            case "navigation":
                self._page_hash = message.navigation.page_script_hash
            case "delta":
                self._draw(message)
            case "auto_rerun":
                self._set_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    self._drop_timer(fragment)
            case "page_info_changed":
                self.query = message.page_info_changed.query_string
            case "script_finished":
                self._finish(message)

    def _begin(self, message: ForwardMsg) -> None:
        session, run = message.new_session, message.metadata.run
        self.session_id = session.initialize.session_id
        self._run, self._heard = run.script_run_id, True
        if session.page_script_hash != self._page_hash:
            self._drop(lambda drawn: drawn.script != session.main_script_hash)
        if not run.fragment_ids:  # a fragment may be of the page before
            self._page_hash = session.page_script_hash
            self._stop_timers()

    def _draw(self, message: ForwardMsg) -> None:
        if message.delta.WhichOneof("type") != "new_element":
            return
        place = tuple(message.metadata.delta_path)
        script = message.metadata.active_script_hash
        self._drawn[place] = _Drawn(self._run, message.delta.fragment_id, script)
        element = self.elements[place] = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.errors.append(element.exception.message)
        elif kind == "alert" and element.alert.format == element.alert.ERROR:
            self.errors.append(element.alert.body)

    def _finish(self, message: ForwardMsg) -> None:
        now, status = perf_counter(), message.script_finished
        if status == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return
        if status == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            self.errors.append("the script could not be compiled")
        run = message.metadata.run
        if self._heard:
            self._cache.finish(run.fragment_ids)
        self._drop(
            lambda drawn: (
                drawn.run != run.script_run_id
                and (not run.fragment_ids or drawn.fragment in run.fragment_ids)
            )
        )
        for fragment in run.fragment_ids:
            self.refresh_seconds += [now - asked for asked in self._asked.pop(fragment, [])]
        if not run.fragment_ids:
            self._asked.clear()
            self._idle.set()

    def _drop(self, goes: Callable[[_Drawn], bool]) -> None:
        for place in [place for place, drawn in self._drawn.items() if goes(drawn)]:
            del self._drawn[place], self.elements[place]

    # --- timers -------------------------------------------------------------------------------

    def tick(self) -> None:
        """Let timers run from now on, as they do in a browser."""
        self._ticking = True
        for fragment, (interval, _) in list(self._timers.items()):
            self._drop_timer(fragment)
            self._set_timer(fragment, interval)

    def _set_timer(self, fragment: str, interval: float) -> None:
        if fragment in self._timers and self._timers[fragment][0] == interval:
            return
        self._drop_timer(fragment)
        beat = self._beat(fragment, interval) if self._ticking else asyncio.sleep(0)
        self._timers[fragment] = interval, asyncio.create_task(beat)

    def _drop_timer(self, fragment: str) -> None:
        if found := self._timers.pop(fragment, None):
            found[1].cancel()

    def _stop_timers(self) -> None:
        for fragment in list(self._timers):
            self._drop_timer(fragment)

    def timers(self) -> list[str]:
        """The fragments of the page that refresh themselves."""
        return list(self._timers)

    async def poll(self, fragment: str, data: bytes) -> None:
        """Send what the timer of a fragment sends, and wait until that is drawn."""
        await self._poll(fragment, data)
        while fragment in self._asked:
            await asyncio.wait({self._reader}, timeout=0.05)
            if self._reader.done():
                self._reader.result()
                raise TimeoutError(f"{self.url} closed the connection")

    async def _poll(self, fragment: str, data: bytes) -> None:
        self._asked.setdefault(fragment, []).append(perf_counter())
        await self._ask(data)

    async def _beat(self, fragment: str, interval: float) -> None:
        due = perf_counter() + interval
        while True:
            await asyncio.sleep(max(0.0, due - perf_counter()))
            due += interval
            await self._poll(fragment, self.message(fragment=fragment, timer=True))


def _xsrf(url: str) -> dict[str, str]:
    """Headers that a page of the app sends with an upload: the token, and the cookie with it."""
    answer = urllib.request.urlopen(f"{url}/_stcore/host-config", timeout=PATIENCE_SECONDS)
    health = urllib.request.urlopen(f"{url}/_stcore/health", timeout=PATIENCE_SECONDS)
    cookies = [*answer.headers.get_all("Set-Cookie", []), *health.headers.get_all("Set-Cookie", [])]
    token = next(c.split(";")[0] for c in cookies if c.startswith("_streamlit_xsrf="))
    return {"Cookie": token, "X-Xsrftoken": json.loads(f'"{token.partition("=")[2]}"')}
