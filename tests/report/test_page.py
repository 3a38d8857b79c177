"""Reports: one HTML file that needs nothing else, and Markdown with its charts beside it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cnnlab.history import History
from cnnlab.published import REFERENCES
from cnnlab.report.markdown import markdown, plain, zipped
from cnnlab.report.page import html
from cnnlab.report.story import outcome, tell
from cnnlab.spec import PRESETS, RunCard, Status, Steps
from tests.example_runs import CARD, CPU, add_run, disturbances
from tests.race.examples import leg

HOSTILE = "</script><script>alert(1)</script><!-- <img src=https://evil.example/x onerror=alert(2)>"


class Elements(HTMLParser):
    """Every element with its attributes, and the text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside = ""
        self.text = ""
        self.data: dict[str, str] = {"script": "", "style": "", "json": ""}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        json_data = dict(attrs).get("type") == "application/json"
        self.inside = "json" if json_data else tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside in self.data:
            self.data[self.inside] += data
        else:
            self.text += data


@pytest.fixture
def cards(home: Path) -> list[RunCard]:
    history = History()
    return [history.card(add_run(history, name=f"{d.used} run", device=d)) for d in (CPU, CARD)]


def test_a_run_that_was_resumed_says_how_long_it_was_trained_where_that_is_known(
    cards: list[RunCard],
) -> None:
    parts = cards[0].timing.in_parts((2,))
    assert outcome(cards[0].model_copy(update={"timing": parts})).endswith(" in 4.04 s.")
    unknown = parts.model_copy(update={"fit_seconds": None})
    assert outcome(cards[0].model_copy(update={"timing": unknown})).endswith("epochs.")


def disturbed(card: RunCard, mark: str) -> RunCard:
    unknown = dict.fromkeys(("other_load_mean", "other_load_peak", "other_load_share"))
    facts = disturbances(mark, **unknown)
    return card.model_copy(update={"disturbances": facts})


def test_a_report_wears_the_mark_and_the_name_of_the_lab(cards: list[RunCard]) -> None:
    page = html(cards).decode()
    head = page[page.index('<p class="name">') : page.index("<h1>")]
    assert "<svg" in head
    assert "CNN Lab" in head


def test_a_report_names_no_address_and_loads_nothing(cards: list[RunCard]) -> None:
    page = html(cards).decode()
    assert "://" not in page
    assert "//cdn" not in page
    parsed = Elements(page)
    loading = {"src", "href", "srcset", "action", "data", "poster", "background"}
    for tag, attributes in parsed.found:
        assert not loading & attributes.keys(), (tag, attributes)
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "img"}
    assert not re.search(r"@import|url\(", parsed.data["style"])


def test_the_browser_is_told_to_run_one_script_and_to_fetch_nothing(cards: list[RunCard]) -> None:
    parsed = Elements(html(cards).decode())
    policy = next(a["content"] for _, a in parsed.found if "http-equiv" in a)
    digest = hashlib.sha256(parsed.data["script"].encode()).digest()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}' 'unsafe-eval'" in policy
    assert [a.get("type") for tag, a in parsed.found if tag == "script"] == [
        "application/json",
        None,
    ]


def test_a_report_holds_verdict_specs_differences_times_and_hardware(cards: list[RunCard]) -> None:
    text = Elements(html(cards).decode()).text
    for part in (
        "2 runs compared",
        "About equally fast",
        "cpu run",
        "cuda:0 run",
        "model.blocks.0.convs.0.filters",
        "device.name",
        "Example GPU",
        "environment.torch",
        "1.35 s",
        "start-up",
        "12 %",
    ):
        assert part in text, part


def test_the_turns_of_other_lanes_are_told_of_who_took_turns_with_them(
    cards: list[RunCard],
) -> None:
    turns = "other lanes' turns"
    assert turns not in html(cards).decode()
    timing = cards[1].timing.model_copy(update={"held_seconds": 75.0})
    page = html([cards[0], cards[1].model_copy(update={"timing": timing})]).decode()
    ledger = json.loads(Elements(page).data["json"])["ledger"]
    assert turns in ledger["encoding"]["color"]["scale"]["domain"]
    assert "other lanes' turns1 min 15 s" in Elements(page).text.replace("–", "")


def test_each_run_has_its_curves_in_the_charts(cards: list[RunCard]) -> None:
    specs = json.loads(Elements(html(cards).decode()).data["json"])
    assert list(specs) == [
        "loss-epoch",
        "accuracy-epoch",
        "loss-seconds",
        "accuracy-seconds",
        "ledger",
    ]
    for spec in specs.values():
        assert {row["run"] for row in spec["data"]["values"]} == {"cpu run", "cuda:0 run"}
        assert "$schema" not in spec
    alone = json.loads(Elements(html(cards[:1]).decode()).data["json"])
    assert list(alone) == ["loss", "accuracy", "step-times", "ledger"]
    assert len(alone["step-times"]["data"]["values"]) == len(cards[0].steps.ms)


def test_what_people_wrote_shows_as_text_wherever_it_stands(cards: list[RunCard]) -> None:
    hostile = cards[0].model_copy(
        update={
            "name": HOSTILE,
            "note": HOSTILE,
            "session": HOSTILE,
            "error": HOSTILE,
            "environment": {HOSTILE: HOSTILE, "deep": {HOSTILE: [HOSTILE]}},
            "device": CPU.model_copy(update={"name": HOSTILE}),
        }
    )
    hostile = disturbed(hostile, HOSTILE)
    plainly = Elements(html(cards).decode())
    page = html([hostile, cards[1]], {hostile.run_id: HOSTILE}).decode()
    parsed = Elements(page)
    assert [tag for tag, _ in parsed.found].count("script") == 2
    assert {tag for tag, _ in parsed.found} <= {tag for tag, _ in plainly.found}
    assert not any(name.startswith("on") for _, a in parsed.found for name in a)
    assert parsed.text.count(HOSTILE) >= 8
    specs = json.loads(parsed.data["json"])
    assert HOSTILE in {row["run"] for row in specs["ledger"]["data"]["values"]}


def test_a_run_without_epochs_steps_or_facts_still_makes_a_report(cards: list[RunCard]) -> None:
    bare = RunCard(
        run_id="bare",
        name="cpu run",
        session="s",
        status=Status.FAILED,
        error="The disk is full.",
        created_at="2026-01-01T00:00:00Z",
        spec=PRESETS["tiny"].spec,
    )
    page = html([bare, cards[0]]).decode()
    assert "Failed: The disk is full." in page
    assert "cpu run (bare)" in page
    assert "No speed to compare: cpu run (bare) has no finished epoch" in page
    assert "<h2>Charts</h2>" not in html([bare]).decode()


def test_a_diverged_run_and_one_without_steps_are_drawn(cards: list[RunCard]) -> None:
    row = cards[0].epochs[-1]
    wild = row.model_copy(update={"loss": float("nan"), "val_loss": float("inf")})
    epochs = (*cards[0].epochs[:-1], wild)
    card = cards[0].model_copy(update={"epochs": epochs, "steps": Steps()})
    specs = json.loads(Elements(html([card]).decode()).data["json"])
    assert list(specs) == ["loss", "accuracy", "ledger"]
    assert None in [row["value"] for row in specs["loss"]["data"]["values"]]


def test_what_was_published_stands_apart_beside_the_same_network(cards: list[RunCard]) -> None:
    assert tell(cards).published is None
    article = cards[0].model_copy(update={"spec": PRESETS["article"].spec})
    page = html([article]).decode()
    assert "Published, not measured here" in page
    assert all(reference.title in page for reference in REFERENCES.values())
    assert "7 min 35 s" in page
    assert not any("Published" in row[0] for row in tell([article]).results.rows)


def test_imported_runs_say_where_they_come_from(cards: list[RunCard]) -> None:
    assert "Comes from: cards.json" in html(cards, {cards[0].run_id: "cards.json"}).decode()
    assert "Comes from" not in html(cards).decode()


def test_half_a_character_in_a_card_does_not_stop_a_report(cards: list[RunCard]) -> None:
    broken = cards[0].model_copy(update={"environment": {"cpu": "half \ud83d"}})
    assert b"half ?" in html([broken])


def test_markdown_links_a_drawing_for_every_chart(cards: list[RunCard]) -> None:
    text, drawings = markdown(cards, stem="our runs")
    assert re.findall(r"!\[.+\]\(<(.+)>\)", text) == list(drawings)
    for drawing in drawings.values():
        assert ElementTree.fromstring(drawing).tag.endswith("svg")
        assert not re.search(r"<script|href=", drawing)
    assert "About equally fast" in text
    assert "| Name of the device | Example CPU | Example GPU |" in text


def test_markdown_and_its_drawings_travel_in_one_archive(cards: list[RunCard]) -> None:
    text, drawings = markdown(cards, stem="a")
    with zipfile.ZipFile(io.BytesIO(zipped(text, drawings, "a"))) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {"a.md", *drawings}
        assert all(f"<{name}>" in archive.read("a.md").decode() for name in drawings)


def test_markdown_takes_no_sign_of_a_name_for_its_own(cards: list[RunCard]) -> None:
    name = "# a | b\n<img src=x> *c* [d](https://evil.example) `e`"
    hostile = cards[0].model_copy(update={"name": name, "note": "# one\n\n- two"})
    text, _ = markdown([hostile], stem="r")
    assert not re.search(r"(?<![\\(])<", text)
    assert "://" not in text
    assert "\n> \\# one\n>\n> \\- two\n" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    columns = {len(re.split(r"(?<!\\)\|", line)) for line in table[:3]}
    assert len(columns) == 1
    assert plain("4.26 and 3 - 2") == "4.26 and 3 - 2"
    assert plain("1. first") == "1\\. first"


@pytest.mark.browser
def test_a_report_opens_from_a_disk_in_light_and_dark(cards: list[RunCard], tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium is installed")
    file = tmp_path / "report.html"
    file.write_bytes(html([cards[0].model_copy(update={"name": HOSTILE}), cards[1]]))
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(color_scheme="light")
        asked: list[str] = []
        errors: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.goto(file.as_uri())
        page.wait_for_function("document.querySelectorAll('canvas').length === 5")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("document.querySelectorAll('canvas').length === 5")
        assert page.evaluate(ground) != light
        browser.close()
    assert asked == [file.as_uri()]
    assert errors == []


def test_a_report_of_a_races_legs_tells_the_race_once() -> None:
    legs = [leg(lane, 0, 2.0, title=title) for lane, title in enumerate(("CPU", "GPU"))]
    legs = [card.model_copy(update={"name": card.part.leg_name}) for card in legs]
    found = tell(legs)
    assert found.title == "Race: 2 legs compared"
    assert [row[0] for row in found.results.rows] == ["CPU", "GPU"]
