"""Present on a projector: nothing small, nothing that scrolls, stepped through by keys; and a
room's phones: the QR code, a bet, a recipe."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from cnnlab.history import History
from cnnlab.spec import PRESETS, Part, change
from tests.browser.patience import comes_true, left_over, opened, settled
from tests.example_runs import CARD, CPU, TINY, add_run

WORD = "open sesame"
PROJECTOR, PHONE = {"width": 1920, "height": 1080}, {"width": 390, "height": 844}
SCREENS = ("run", "result", "race", "comparison", "visitors")

SMALL = """() => {
    const seen = element => element.checkVisibility({visibilityProperty: true})
        && element.getBoundingClientRect().width > 1
        && !element.closest('.unseen, .st-key-stage-keys');
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !seen(element)) continue;
        if (['STYLE', 'SCRIPT', 'NOSCRIPT', 'TITLE'].includes(element.tagName)) continue;
        const size = parseFloat(getComputedStyle(element).fontSize);
        if (size < 28) found.push([size, walker.currentNode.data.trim().slice(0, 40)]);
    }
    return found;
}"""
"""Every word that can be seen and is smaller than 28 pixels; those of charts too, which are SVG."""

SCROLLS = """() => [...document.querySelectorAll('html, body, [data-testid=stMain], .st-key-stage')]
    .filter(box => box.scrollHeight > innerHeight + 1 || box.scrollWidth > innerWidth + 1)
    .map(box => [box.className || box.tagName, box.scrollWidth, box.scrollHeight])"""


EMPTY = """() => {
    const words = [...document.querySelectorAll('.st-key-stage :is(h2, dl, p.verdict)')];
    const heights = words.map(part => part.getBoundingClientRect());
    const pictures = document.querySelector('.st-key-stage-chart :is(svg.marks, img)');
    const used = heights.reduce((sum, box) => sum + box.height, 0)
        + pictures.getBoundingClientRect().height;
    const empty = 1 - used / innerHeight;
    return empty > 0.16 ? [empty] : [];
}"""
"""The share of the window's height in which nothing stands, if that is much."""
CUT = """() => [...document.querySelectorAll('.st-key-stage :is(svg.marks text, h2, dt, dd, p)')]
    .filter(one => one.textContent.trim() && one.checkVisibility()
        && !one.closest('.st-key-stage-keys'))
    .filter(one => {
        const {left, right} = one.getBoundingClientRect();
        const room = (one.closest('svg') ?? document.body).getBoundingClientRect();
        return right > room.right + 1 || left < room.left - 1;
    })
    .map(one => one.textContent.trim().slice(0, 40))"""
"""Words that go beyond their chart, or beyond the window."""


@pytest.fixture(scope="module")
def passphrase() -> str:
    return WORD


@pytest.fixture(scope="module")
def runs(history_of_server: History) -> tuple[str, ...]:
    add = partial(add_run, history_of_server)
    deeper = change(PRESETS["deeper"].spec, dataset="shapes")
    made = (
        add(name="On the CPU", device=CPU, epochs=5, step_ms=12.0),
        add(name="Deeper, on the GPU", spec=deeper, device=CARD, epochs=5),
    )
    for turn in range(3):
        for lane, (title, step_ms) in enumerate((("stock engine", 40.0), ("fast engine", 11.0))):
            lap = Part(
                kind="race", group_id="r", group="Race", lane=lane, lane_title=title, turn=turn,
                cut_seconds=3.0,
            )  # fmt: skip
            add(spec=TINY, step_ms=step_ms + turn, part=lap)
    return made


@pytest.fixture
def ann(page: Page) -> Page:
    """The presenter, at the projector."""
    page.set_viewport_size(PROJECTOR)
    opened(page, "/history")
    page.get_by_text("Watching", exact=True).click()
    page.get_by_label("Passphrase").fill(WORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("Presenting", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    settled(page)
    return page


@pytest.fixture
def phone(visitor: Callable[..., Page]) -> Page:
    return visitor(viewport=PHONE)


def test_on_a_projector_nothing_is_small_nothing_scrolls_and_the_window_is_full(ann: Page) -> None:
    ann.keyboard.press("p")
    ann.wait_for_url(re.compile("/present"))
    faults = []
    for screen in SCREENS:
        ann.goto(f"/present?screen={screen}")
        expect(ann.locator(".st-key-stage h2")).to_be_visible()
        expect(ann.locator(".st-key-stage-chart :is(svg.marks, img)").first).to_be_visible()
        expect(ann.locator(".st-key-stage dd")).to_have_count(3)
        settled(ann)
        faults += [(screen, *fault) for fault in left_over(ann, SMALL)]
        faults += [(screen, "scrolls", *fault) for fault in left_over(ann, SCROLLS)]
        faults += [(screen, "empty", share) for share in left_over(ann, EMPTY)]
    assert faults == []
    expect(ann.get_by_role("navigation")).to_have_count(0)


def test_on_a_phone_no_word_of_a_screen_is_cut(phone: Page) -> None:
    cut = {}
    for screen in SCREENS:
        phone.goto(f"/present?screen={screen}")
        expect(phone.locator(".st-key-stage-chart :is(svg.marks, img)").first).to_be_visible()
        settled(phone)
        if found := left_over(phone, CUT):
            cut[screen] = found
    assert cut == {}
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_keys_step_through_and_lead_out(ann: Page) -> None:
    ann.keyboard.press("p")
    title = ann.locator(".st-key-stage h2")
    for key, screen in (
        ("ArrowRight", "result"),
        ("n", "race"),
        ("ArrowLeft", "result"),
        ("p", "run"),
        ("p", "visitors"),
        ("p", "comparison"),
    ):
        expect(title).to_be_visible()
        settled(ann)
        ann.keyboard.press(key)
        ann.wait_for_url(re.compile(f"screen={screen}"))
    expect(title).to_have_text("Deeper, on the GPU against On the CPU")
    settled(ann)
    ann.keyboard.press("Escape")
    ann.wait_for_url(re.compile("/compare"))


def test_a_phone_follows_bets_and_proposes(ann: Page, phone: Page) -> None:
    opened(ann, "/present?screen=visitors")
    code = ann.locator(".qr-code")
    comes_true(code, "code => code.complete && code.naturalWidth > 0")
    assert code.bounding_box()["height"] > 300
    opened(ann, "/race?preset=tiny")
    ann.get_by_role("button", name="Take bets").click()
    phone.goto("/")  # as the code says
    phone.wait_for_url(re.compile("/race"))
    expect(phone.get_by_role("button", name="Bet", exact=True)).to_be_visible()
    settled(phone)
    phone.get_by_label("Your name").fill("Bob **bold**")
    phone.get_by_role("spinbutton", name="Times as fast").fill("3.5")
    phone.get_by_role("button", name="Bet", exact=True).click()
    expect(phone.get_by_text("You bet 3.5 as Bob **bold**")).to_be_visible()
    expect(ann.get_by_text("1 bet", exact=True)).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    phone.reload()  # the phone is known again: its bet is its own
    expect(phone.get_by_text("You bet 3.5 as Bob **bold**")).to_be_visible()
    opened(phone, "/?preset=tiny&epochs=7")
    phone.get_by_text("Propose it").click()
    phone.get_by_label("Your name").fill("Bob")
    phone.get_by_role("button", name="Propose this recipe").click()
    expect(phone.get_by_text("lies before the presenter")).to_be_visible()
    ann.get_by_text("Room · 1 proposed").click()
    ann.get_by_role("button", name="Dismiss").click()
    expect(ann.get_by_text("Room", exact=True)).to_be_visible()
