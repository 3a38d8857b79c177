"""A lab with a past: every page on a phone, in both themes, for those who cannot see or point."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from cnnlab.history import History
from cnnlab.spec import Status, change
from tests.browser.patience import WAIT_MS, left_over, opened, settled
from tests.example_runs import CARD, CPU, TINY, add_run

PAGES = Path(__file__).resolve().parents[2] / "pages"
WIDTHS = (390, 768, 1366, 1920)
SIDEWAYS = "() => document.documentElement.scrollWidth > innerWidth"
RACE_MS = 2 * WAIT_MS
"""A process for each lane has to be there first."""
TAKEN = {"train", "race", "history", "compare"}  # pages that are walked with runs on them

# What lies within Streamlit's own widgets, by rule and by what its selector begins with.
KNOWN = {
    # The dot that follows the pointer over the sparkline of `st.metric`: the figure is in words.
    "svg-img-alt": ".metric_chart_",
}


@pytest.fixture(scope="module")
def runs(history_of_server: History) -> tuple[str, ...]:
    add = partial(add_run, history_of_server)
    return (
        add(name="On the CPU", device=CPU, epochs=5, step_ms=12.0),
        add(name="On the GPU", device=CARD, epochs=5, step_ms=3.0),
        add(name="Larger batches", spec=change(TINY, batch_size=64), epochs=4),
        add(name="Gone wrong", epochs=1, status=Status.FAILED),
    )


def addresses(runs: tuple[str, ...]) -> list[str]:
    """Every page, with nothing, one run and several on it."""
    one, two, *_ = runs
    return [
        "/",
        f"/?run={one}",
        "/race",
        f"/race?runs={one},{two}",
        "/history",
        f"/history?run={one}",
        "/compare",
        f"/compare?runs={','.join(runs)}",
        *(f"/{page.stem}" for page in sorted(PAGES.glob("*.py")) if page.stem not in TAKEN),
    ]


def arrived(page: Page, address: str) -> None:
    """Open a page on which nothing went wrong."""
    opened(page, address)
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_for_those_who_cannot_see_or_scrolls_sideways(
    visitor: Callable[..., Page], runs: tuple[str, ...], scheme: str
) -> None:
    page = visitor(color_scheme=scheme)
    faults: list[tuple[object, ...]] = []
    for address in addresses(runs):
        arrived(page, address)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            faults += [(address, width, *fault) for fault in serious(page)]
            if left_over(page, SIDEWAYS):
                faults.append((address, width, "scrolls sideways"))
    assert faults == []


def serious(page: Page) -> list[tuple[str, str]]:
    """Rule and place of each serious or critical fault that axe finds."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        (fault["id"], " ".join(node["target"]))
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
        if not node["target"][0].startswith(KNOWN.get(fault["id"], "nothing"))
    ]


CUT = """() => [...document.querySelectorAll('[data-testid="stButtonGroup"] button')]
    .filter(button => button.getBoundingClientRect().right > innerWidth)
    .map(button => button.textContent)"""


def test_no_choice_is_cut_off_on_a_phone(page: Page, runs: tuple[str, ...]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    arrived(page, f"/compare?runs={runs[0]}")
    assert left_over(page, CUT) == []


# --- by keyboard alone ----------------------------------------------------------------------

FOCUSED = """() => document.activeElement?.matches('button, a')
    ? document.activeElement.innerText.trim() : ''"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has this name has the focus."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if name in page.evaluate(FOCUSED).splitlines():  # beside its icon and its key
            return
    raise AssertionError(f"no Tab leads to {name}")


def test_a_run_is_started_stopped_and_looked_up_without_a_pointer(page: Page) -> None:
    arrived(page, "/?train_limit=400&epochs=4000")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    tab_to(page, "Start training")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("run="))
    expect(page.get_by_text(re.compile("of 4,000: about")).first).to_be_visible()
    settled(page)  # what went away has the focus no longer
    tab_to(page, "Stop")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("^Stopped")).first).to_be_visible()
    settled(page)
    tab_to(page, "History")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="History")).to_be_visible()


# --- side by side ---------------------------------------------------------------------------


def test_two_runs_are_compared_and_the_faster_is_named(page: Page, runs: tuple[str, ...]) -> None:
    cpu, gpu, *_ = runs
    arrived(page, f"/compare?runs={cpu},{gpu}")
    expect(page.get_by_role("heading", name="The GPU ran 4 times as fast")).to_be_visible()
    expect(page.locator('[data-testid="stVegaLiteChart"] canvas').nth(1)).to_be_visible()
    page.get_by_role("radio", name="Wall clock").click()
    expect(page.get_by_role("radio", name="Wall clock")).to_be_checked()
    expect(page.locator('[data-testid="stVegaLiteChart"] canvas').nth(1)).to_be_visible()


def test_runs_go_out_as_a_file_and_come_in_again(
    page: Page, runs: tuple[str, ...], tmp_path: Path
) -> None:
    arrived(page, f"/compare?runs={runs[0]}")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Run cards (JSON)").click()
    card = json.loads(waiting.value.path().read_text(encoding="utf-8"))
    assert card["run_id"] == runs[0]
    file = tmp_path / "from-elsewhere.json"
    file.write_text(json.dumps(card | {"run_id": "elsewhere", "name": "A colleague's"}))
    arrived(page, "/compare")
    page.get_by_text("Bring in runs from a file").click()
    page.locator("input[type=file]").set_input_files(file)
    page.wait_for_url(re.compile("runs=elsewhere"))
    arrived(page, "/history?run=elsewhere")
    expect(page.get_by_text("Not measured here: imported from from-elsewhere")).to_be_visible()


def test_a_damaged_file_is_refused_in_a_sentence(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "damaged.json"
    file.write_text('{"schema": "cnnlab.run/1", ')
    arrived(page, "/compare")
    page.get_by_text("Bring in runs from a file").click()
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text(re.compile("damaged.json: The file is not JSON"))).to_be_visible()
    assert "runs=" not in page.url


def test_a_race_is_run_decided_and_replayed(page: Page) -> None:
    arrived(page, "/race?train_limit=400&epochs=2")
    page.get_by_text("Train to the end").click()
    expect(page.get_by_role("spinbutton", name="Trainings of each lane")).to_be_visible()
    page.get_by_role("button", name="Start the race").click()
    page.wait_for_url(re.compile("race="))
    replay = page.get_by_role("button", name="Replay")
    expect(replay).to_be_visible(timeout=RACE_MS)
    expect(page.get_by_role("heading", name="Where the time went")).to_be_visible()
    replay.click()
    expect(page.get_by_text("Race clock")).to_be_visible()
    page.get_by_role("button", name="End the replay").click()
    expect(page.get_by_role("heading", name="Where the time went")).to_be_visible()
