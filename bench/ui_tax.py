"""What watching costs: the same training without a page, and in the lab with two tabs open.

Each arm is a run in a process of its own: the command line's, or the lab's, started and watched in
a real browser with two tabs. There the browser's drawing takes its share of the cores that train;
so the lab is also watched by two sessions that draw nothing, as where the tabs are open on another
computer. Two figures of each run are held against each other: the epoch that a verdict goes by,
which leaves out the steps that waited for a core (`Epoch.timed_seconds`), and the epoch by the
clock on the wall. A last arm trains in the process that draws the pages, which the lab does not do;
its figure stands beneath the table. All of it on the CPU, and where there is an accelerator, on
that as well.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, expect, sync_playwright

from bench.epochs import EpochSeconds, by_the_wall
from bench.measure import cards, result_of, rounds, save
from bench.serving import ARGUMENTS, CHROMIUM, serving
from bench.visitor import Visitor
from cnnlab.history import History, default_url
from cnnlab.spec import PRESETS, ExperimentSpec, RunCard, change
from cnnlab.ui import link

PAIRS = 5
TABS = 2
BUDGET_SHARE = 0.03
# About 10 seconds each on two cores; `shapes` needs no download.
SPECS = {
    "article CNN": change(PRESETS["article"].spec, dataset="shapes", train_limit=2500, epochs=3),
    "dense": change(PRESETS["dense"].spec, dataset="shapes", train_limit=40_000, epochs=6),
}
CARD_EPOCHS = 20
"""Times the epochs, on a card: it is tens of times as fast, and is to be watched for seconds."""
TRAINING_SECONDS = 600.0


def on_each_device() -> dict[str, ExperimentSpec]:
    """What is trained, by its name: every network on the CPU, and on the best accelerator here."""
    found = {f"{name}, batch 32, cpu": change(spec, device="cpu") for name, spec in SPECS.items()}
    for card in cards()[:1]:
        for name, spec in SPECS.items():
            where = {"device": card["key"], "epochs": CARD_EPOCHS * spec.epochs}
            found[f"{name}, batch 32, {card['kind']}"] = change(spec, **where)
    return found


def headless(spec: ExperimentSpec) -> float:
    """Milliseconds of a step, warm-up left out, trained from the command line."""
    printed = _trained("cnnlab", "train", "--json", "--spec", spec=spec)
    return printed["timing"]["step_ms_mean"]


def unwatched(spec: ExperimentSpec) -> EpochSeconds:
    """The epochs of a run from the command line."""
    printed = _trained("cnnlab", "train", "--json", "--spec", spec=spec)
    return EpochSeconds.of(RunCard.model_validate(printed))


def drawn_inside(spec: ExperimentSpec) -> float:
    """Seconds of an epoch in a process that draws the pages of two tabs as well."""
    return _trained("bench.ui_tax", spec=spec)["epoch_seconds"]


def _trained(*command: str, spec: ExperimentSpec) -> dict[str, Any]:
    """Run a module that takes a spec's file as its last argument; the JSON that it prints."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(spec.model_dump_json())
        file.flush()
        whole = [sys.executable, "-m", *command, file.name]
        done = subprocess.run(whole, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def watched(spec: ExperimentSpec, browser: Browser, url: str) -> EpochSeconds:
    """The same epochs in the lab, begun in a tab and watched in two."""
    with ExitStack() as tabs:
        pages = []
        for _ in range(TABS):
            context = tabs.enter_context(browser.new_context(base_url=url))
            context.set_default_timeout(60_000)
            pages.append(context.new_page())
        pages[0].goto(f"/?{urlencode(link.encode(spec))}")
        pages[0].get_by_role("button", name="Start training").click()
        pages[0].wait_for_url(re.compile("run="))
        for page in pages[1:]:
            page.goto(pages[0].url)
        for page in pages:
            over = page.get_by_text(re.compile("^Finished in"))
            expect(over).to_be_visible(timeout=1e3 * TRAINING_SECONDS)
        run_id = pages[0].url.partition("run=")[2].partition("&")[0]
    return EpochSeconds.of(_card(run_id))


def watched_elsewhere(spec: ExperimentSpec, url: str) -> EpochSeconds:
    """The same in the lab, its tabs open on a computer whose drawing costs this one nothing."""
    with ThreadPoolExecutor(1) as pool:  # the browser's driver holds this thread's event loop
        return EpochSeconds.of(_card(pool.submit(asyncio.run, _follow(spec, url)).result()))


async def _follow(spec: ExperimentSpec, url: str) -> str:
    """Begin a run and look on in as many sessions as there are tabs; the run's id, once it ends."""
    async with AsyncExitStack() as tabs:
        first = await tabs.enter_async_context(Visitor(url, query=urlencode(link.encode(spec))))
        await first.rerun(first.click("start"))
        others = [Visitor(url, query=first.query) for _ in range(TABS - 1)]
        for visitor in [first, *[await tabs.enter_async_context(other) for other in others]]:
            visitor.tick()
        run_id = first.query.partition("run=")[2].partition("&")[0]
        end = time.monotonic() + TRAINING_SECONDS
        while not _card(run_id).status.over:
            if time.monotonic() > end:
                raise TimeoutError(f"the run {run_id} did not end")
            await asyncio.sleep(1.0)
    return run_id


def _card(run_id: str) -> RunCard:
    history = History(default_url())
    try:
        return history.card(run_id, steps=False)
    finally:
        history.close()


def train_and_draw(spec: ExperimentSpec) -> None:
    """Train here, and draw the run's page twice a second beside it; prints the timing as JSON."""
    os.environ["KERAS_BACKEND"] = "torch"
    from bench import refresh
    from cnnlab import training
    from cnnlab.runner import LiveRun

    live = LiveRun(refresh.RUN_ID, spec)
    pages = [refresh.Arm(refresh.whole_page, live) for _ in range(TABS)]
    over = threading.Event()

    def draw() -> None:
        while not over.wait(1.0):
            snapshot = live.snapshot()
            if len(snapshot.columns["step"]):
                for page in pages:
                    page()

    drawing = threading.Thread(target=draw)
    drawing.start()
    try:
        training.train(spec, live.apply, lambda: False, launched_at=time.monotonic())
    finally:
        over.set()
        drawing.join()
    rows = live.snapshot().epochs[1:]
    print(json.dumps({"epoch_seconds": statistics.median(row.seconds for row in rows)}))


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results; nothing where there is no browser."""
    if CHROMIUM is None:
        print("No Chromium is installed, so the cost of watching is not measured.")
        return []
    results = []
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ["CNNLAB_HOME"] = home
        url = stack.enter_context(serving(Path(home))).url
        driver = stack.enter_context(sync_playwright())
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        stack.callback(browser.close)
        for name, spec in on_each_device().items():
            here = _measured(name, spec, lambda: watched(spec, browser, url))  # noqa: B023
            beside = [drawn_inside(spec) for _ in range(3)]
            longer = sorted(beside)[1] / here[1]["b"]["median"] - 1
            note = (
                f"To draw the pages of {TABS} tabs in the process that trains {name} would make "
                f"its epochs {longer:+.1%} longer."
            )
            here[1] |= {"drawn_inside": beside, "notes": [note]}
            away = _measured(name, spec, lambda: watched_elsewhere(spec, url))  # noqa: B023
            for each in away:
                each["arms"]["a"] = f"{TABS} tabs elsewhere"
            results += [*here, *away]
    save("ui_tax", results)
    return results


def _measured(
    name: str, spec: ExperimentSpec, arm: Callable[[], EpochSeconds]
) -> list[dict[str, Any]]:
    """Two results of the same runs: by the figure that a verdict goes by, and by the wall."""
    arms = {"a": arm, "b": lambda: unwatched(spec)}
    rounds(arms, 1)
    found = rounds(arms, PAIRS)
    wall = by_the_wall(found)
    said = {"unit": "s", "arms": {"a": f"in the lab, {TABS} tabs open here", "b": "command line"}}
    compared = result_of(found)
    cost = 1 / compared["ratio"]["median"] - 1
    note = (
        f"Watched, an epoch of {name} is told as {cost:+.1%} longer where a verdict is given "
        f"(budget {BUDGET_SHARE:.0%})."
    )
    return [
        compared | said | {"name": f"Epoch that a verdict goes by, {name}", "notes": [note]},
        result_of(wall) | copy.deepcopy(said) | {"name": f"Epoch by the wall, {name}"},
    ]


if __name__ == "__main__":
    if sys.argv[1:]:
        train_and_draw(ExperimentSpec.model_validate_json(Path(sys.argv[1]).read_text()))
    else:
        print(json.dumps(main(), indent=2))
