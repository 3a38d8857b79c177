"""Whatever strangers send works or is refused with a sentence: specs, archives, tables, run cards.

By default a few examples of each; `pytest -m soak tests/faults/test_hostile.py -s` takes 10,000
specs and 2,000 files, and prints what became of them. While the lab reads, the interpreter's own
audit hook watches what is written, and whether a process is started or the network is asked.
"""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import re
import resource
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from cnnlab import datasets
from cnnlab.history import History
from cnnlab.models import check
from cnnlab.report.cards import read, to_json
from cnnlab.report.page import html
from cnnlab.report.parquet import to_parquet
from cnnlab.spec import PRESETS, LabError, Problem, RunCard, SpecError, parse_spec
from cnnlab.ui.top import SCRIPTS
from tests.datasets.examples import as_tar, as_zip, cifar100_files, npz, picture, two_classes
from tests.example_runs import CARD, add_run
from tests.quiet_lab import page

SPECS, FILES = 10_000, 2_000
FEW = 200
MOST_GROWTH_MB = 700
"""How much the process may grow over all files: an archive may unpack to 256 MB in any case."""


def examples(count: int) -> settings:
    """So many, with nothing written down between runs: the audit hook is to see only the lab."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=count, deadline=None, database=None, suppress_health_check=checks)


# --- what happens while the lab reads -------------------------------------------------------


class Guard:
    """Notes every file that is opened to be written, and every process and connection."""

    STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn")
    CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.chmod")

    def __init__(self) -> None:
        self.on = False
        self.written: list[str] = []
        self.started: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self.written.append(os.fsdecode(arguments[0]))
        elif event in self.CHANGES:
            self.written += [os.fsdecode(a) for a in arguments[:2] if isinstance(a, str | bytes)]
        elif event in self.STARTS or event == "socket.connect":
            self.started.append(event)


GUARD = Guard()
sys.addaudithook(GUARD)


@contextmanager
def guarded(home: Path) -> Iterator[None]:
    """Hold what happens inside against what may happen: writing below the lab's home."""
    GUARD.written, GUARD.started, GUARD.on = [], [], True
    try:
        yield
    finally:
        GUARD.on = False
    outside = [name for name in GUARD.written if not Path(name).is_relative_to(home)]
    assert outside == []
    assert GUARD.started == []


def test_the_guard_sees_what_it_is_to_see(home, tmp_path):
    with pytest.raises(AssertionError), guarded(home):
        (tmp_path / "outside").write_text("x")
    with pytest.raises(AssertionError), guarded(home):
        os.system("true")


def outcome(action: Callable[[], object]) -> str:
    """How it went: "works", or "refused", with a sentence and nothing else."""
    try:
        action()
    except LabError as error:
        said = str(error)
        assert said.strip()
        assert "Traceback" not in said
        assert len(said) < 5000
        return "refused"
    return "works"


# --- specs ----------------------------------------------------------------------------------

LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 64),
    st.sampled_from([0, 1, -1, 2**31, 2**63, 2**200, 10**400, 1e-320, float("nan"), float("inf")]),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["cpu", "cuda:1", "../..", "/etc/passwd", "none", "", "x" * 5000, "\ud800"]),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
SHAPES = st.tuples(st.integers(1, 300), st.integers(1, 300), st.sampled_from([1, 3]))


def places(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a tree, its root left out."""
    items = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    found = []
    for key, value in items:
        found += [(*here, key), *places(value, (*here, key))]
    return found


def change_at(tree: Any, place: tuple[Any, ...], how: str, value: Any) -> None:
    """Replace, remove or repeat the value at a place that may be gone already."""
    for key in place[:-1]:
        try:
            tree = tree[key]
        except (LookupError, TypeError):
            return
    try:
        if how == "replace":
            tree[place[-1]] = value
        elif how == "remove":
            del tree[place[-1]]
        elif isinstance(tree, list):
            tree.extend([copy.deepcopy(tree[place[-1]])] * 20)
        else:
            tree[f"{place[-1]}_"] = tree[place[-1]]
    except (LookupError, TypeError):
        return


@st.composite
def changed(draw: st.DrawFn, trees: list[Any]) -> Any:
    """One of the trees with a few values replaced, removed or repeated."""
    tree = copy.deepcopy(draw(st.sampled_from(trees)))
    for _ in range(draw(st.integers(0, 4))):
        ways = places(tree)
        if ways:
            how = draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
            change_at(tree, draw(st.sampled_from(ways)), how, draw(TREES))
    return tree


HEALTHY = [preset.spec.model_dump(mode="json") for preset in PRESETS.values()]
ANY_SPEC = st.one_of(changed(HEALTHY), changed(HEALTHY), TREES)


def problems_with(
    raw: Any, shape: tuple[int, int, int], classes: int, images: int
) -> list[Problem]:
    """What is wrong with a spec for such data; nothing if it works, and survives a file."""
    try:
        spec = parse_spec(raw)
        check(spec, shape, classes, images)
    except SpecError as error:
        assert error.problems  # noqa: PT017  one that names no field would be taken for none
        return error.problems
    assert parse_spec(json.loads(spec.model_dump_json())) == spec
    return []


def specs_work_or_are_refused(count: int) -> tuple[Counter[str], float]:
    """What became of so many specs, and the longest time one took (seconds)."""
    seen: Counter[str] = Counter()
    longest = [0.0]

    @examples(count)
    @given(raw=ANY_SPEC, shape=SHAPES, classes=st.integers(2, 200), images=st.integers(0, 10**6))
    def one(raw, shape, classes, images):
        began = perf_counter()
        problems = problems_with(raw, shape, classes, images)
        assert all(problem.field and problem.allowed for problem in problems)
        assert "Traceback" not in str(problems)
        seen["refused" if problems else "works"] += 1
        longest[0] = max(longest[0], perf_counter() - began)

    one()
    return seen, longest[0]


def test_any_spec_works_or_is_refused(home):
    seen, _ = specs_work_or_are_refused(FEW)
    # How many of each is Hypothesis's choice, which differs from run to run: both are to be there.
    assert seen["works"]
    assert seen["refused"]


@pytest.mark.soak
def test_ten_thousand_specs_work_or_are_refused(home):
    seen, longest = specs_work_or_are_refused(SPECS)
    print(f"\n{seen.total():,} specs: {dict(seen)}; the slowest took {1e3 * longest:.0f} ms")
    assert seen.total() >= SPECS
    assert longest < 10


# --- files ----------------------------------------------------------------------------------


class Trap:
    """What a pickle runs that is read without care."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/the-lab-ran-a-pickle",)


TABLE = "time,a,b,y\n" + "".join(
    f"2024-01-{1 + n // 24:02}T{n % 24:02}:00,{n},{n % 7},{n % 5 / 2}\n" for n in range(400)
)
NAMES = (
    "a/0.png",
    "b/../../0.png",
    "/etc/0.png",
    "a/\x00.png",
    "a/b/c/0.png",
    "C:\\0.png",
    "é/1.png",
)


def archives_of(folder: Path) -> dict[str, bytes]:
    """Small files of every kind that can be a data set, healthy and hostile."""
    folder.mkdir(exist_ok=True)
    x, y = np.zeros((8, 6, 5, 3), np.uint8), np.arange(8) % 2
    objects = np.array([Trap(), 1], dtype=object)
    made = {
        "a.zip": as_zip(folder / "a.zip", two_classes(each=2)).read_bytes(),
        "a.npz": npz(folder / "a.npz", x, y).read_bytes(),
        "o.npz": npz(folder / "o.npz", x, objects).read_bytes(),
        "a.csv": TABLE.encode(),
        "q.csv": TABLE.replace(",", '";"').encode(),
    }
    for kind in (".tar", ".tar.gz", ".tar.xz", ".tar.bz2"):
        made[f"a{kind}"] = as_tar(folder / f"a{kind}", two_classes(each=2)).read_bytes()
    train = dict(cifar100_files())
    made["cifar.tar.gz"] = as_tar(folder / "c.tar.gz", train).read_bytes()
    train["cifar-100-python/train"] = pickle.dumps(Trap())
    made["trap.tar.gz"] = as_tar(folder / "t.tar.gz", train).read_bytes()
    made["links.tar"] = special_tar()
    made["bomb.zip"] = bomb()
    return made


def special_tar() -> bytes:
    """A tar with links, a device and a pipe beside pictures."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in two_classes(each=2).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("a/x.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    return file.getvalue()


def bomb() -> bytes:
    """A zip of 300 kB that says it is 300 MB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
            archive.writestr(name, bytes(75_000_000))
    return file.getvalue()


@st.composite
def damaged(draw: st.DrawFn, samples: dict[str, bytes]) -> tuple[str, bytes]:
    """A file with bytes flipped, cut out, doubled or put in, or cut short; and its name."""
    name = draw(st.sampled_from(sorted(samples)))
    content = bytearray(samples[name])
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.one_of(st.integers(0, 600), st.integers(0, max(0, len(content) - 1))))
        match draw(st.sampled_from(["flip", "flip", "put", "cut", "double"])):
            case "flip" if place < len(content):
                content[place] = draw(st.integers(0, 255))
            case "put":
                content[place:place] = draw(st.binary(min_size=1, max_size=8))
            case "cut":
                del content[place : place + draw(st.integers(1, 64))]
            case "double":
                content[place:place] = content[place : place + draw(st.integers(1, 512))]
    keep = draw(st.one_of(st.none(), st.none(), st.integers(0, len(content))))
    return name, bytes(content[:keep])


@st.composite
def composed(draw: st.DrawFn) -> tuple[str, bytes]:
    """An archive put together of good and bad members, or a table of odd cells."""
    kind = draw(st.sampled_from([".zip", ".tar", ".csv"]))
    if kind == ".csv":
        cells = st.one_of(
            st.floats().map(str), st.integers().map(str), st.text(max_size=6),
            st.sampled_from(["", "nan", '"', "1e999", "2024-01-01", "=1+1", "\x00", "9" * 400]),
        )  # fmt: skip
        rows = draw(st.lists(st.lists(cells, min_size=1, max_size=5), max_size=30))
        mark = draw(st.sampled_from([",", ";", "\t"]))
        text = "\n".join(mark.join(row) for row in [["time", "a", "y"], *rows])
        return "t.csv", text.encode("utf-8", "surrogatepass")
    contents = [picture(), picture(mode="L"), picture(size=(3, 9)), picture()[:40], b"junk", b""]
    files = two_classes(each=2) | draw(
        st.dictionaries(st.sampled_from(NAMES), st.sampled_from(contents), max_size=4)
    )
    file = io.BytesIO()
    if kind == ".zip":
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in files.items():
                archive.writestr(name.replace("\x00", "\x01"), data)
    else:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return f"t{kind}", file.getvalue()


def cards_of(history: History) -> list[Any]:
    """Plain data of run cards, healthy ones, to be changed."""
    for name in ("one", "two"):
        add_run(history, name=name, device=CARD)
    return [json.loads(to_json([history.card(run.run_id)])) for run in history.summaries()]


def enter(history: History, data: bytes) -> None:
    """Do with a file of cards what the page does, and report on them."""
    cards = read(data)
    for run_id in history.add_cards(cards, origin="upload"):
        history.card(run_id)
    history.summaries()
    assert b"<script>alert" not in html(cards[:2])


def files_work_or_are_refused(count: int, home: Path, tmp_path: Path) -> tuple[Counter[str], float]:
    """What became of so many files, by their kind, and how much the process grew (MB)."""
    samples = archives_of(tmp_path / "samples")
    history = History()
    cards = cards_of(history)
    as_files = {
        "cards.json": json.dumps(cards).encode(),
        "cards.parquet": to_parquet([RunCard.model_validate(card) for card in cards]),
    }
    changed_cards = changed(cards).map(lambda card: ("changed.json", _json(card)))
    anything = st.one_of(damaged(samples), composed(), damaged(as_files), changed_cards)
    seen: Counter[str] = Counter()
    before = _peak_mb()
    folder = home / "datasets"
    folder.mkdir(parents=True, exist_ok=True)

    @examples(count)
    @given(sent=anything)
    def one(sent):
        name, data = sent
        kind = name.partition(".")[2]
        with guarded(home):
            if kind in ("json", "parquet"):
                how = outcome(lambda: enter(history, data))
            else:
                path = folder / name
                path.write_bytes(data)
                how = outcome(lambda: datasets.load(str(path)))
                path.unlink()
        seen[f"{kind} {how}"] += 1

    one()
    history.close()
    return seen, _peak_mb() - before


def _json(card: Any) -> bytes:
    return json.dumps(card).encode("utf-8", "surrogatepass")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def test_any_file_works_or_is_refused(home, tmp_path):
    seen, grown = files_work_or_are_refused(FEW // 2, home, tmp_path)
    ends = Counter(kind.rpartition(" ")[2] for kind in seen.elements())
    assert set(ends) == {"works", "refused"}
    assert grown < MOST_GROWTH_MB


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_thousand_files_work_or_are_refused(home, tmp_path):
    seen, grown = files_work_or_are_refused(FILES, home, tmp_path)
    print(f"\n{seen.total():,} files: {dict(sorted(seen.items()))}; grew by {grown:.0f} MB")
    assert seen.total() >= FILES
    assert grown < MOST_GROWTH_MB
    assert not Path("/tmp/the-lab-ran-a-pickle").exists()


# --- scripts in names -----------------------------------------------------------------------

PAYLOAD = "<script>alert(1)</script><img src=x onerror=alert(2)>![p](https://evil.example/p.png)"
ALIVE_IN_HTML = ("<script", "<img")
ACTIVE = ("![p](https", "[p](https", *ALIVE_IN_HTML)
# Kinds of elements whose texts the browser shows as they are; all others may read Markdown.
SHOWN_AS_TEXT = {
    *("arrow_data_frame", "arrow_vega_lite_chart", "vega_lite_chart", "multiselect", "selectbox"),
    *("text_input", "text_area", "code", "download_button", "data_frame"),
}


@pytest.fixture
def hostile(quiet_lab) -> list[str]:
    """Two runs of which every text that a card may hold has a script in it."""
    history = History()
    ids = []
    for device in ("cpu", "cuda:0"):
        card = history.card(add_run(history, name="x", device=CARD))
        plain = json.loads(to_json([card]))
        plain |= {"run_id": f"evil{device[:2]}", "name": PAYLOAD[:120], "note": PAYLOAD}
        plain |= {"session": PAYLOAD[:60], "environment": {PAYLOAD: PAYLOAD}}
        plain["device"] |= {"name": PAYLOAD, "used": device}
        plain["dataset"]["name"] = PAYLOAD
        plain["spec"]["dataset"] = PAYLOAD
        plain["energy"]["source"] = PAYLOAD
        plain["disturbances"] = None
        ids += history.add_cards(read(json.dumps(plain).encode()), origin=PAYLOAD)
    history.close()
    return ids


def texts(message: Any) -> Iterator[str]:
    """Every text in a message of Streamlit's protocol."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else [value]
        for item in values:
            if isinstance(item, str):
                yield item
            elif hasattr(item, "ListFields"):
                yield from texts(item)


# The mark of a run in its colour: a picture that the lab draws, with nothing of a card's in it.
OWN_SCRIPTS = "<script>" + "\n".join(file.read_text("utf-8") for file in SCRIPTS)
OWN_MARK = re.compile(r'<img src="data:image/svg\+xml;base64,[A-Za-z0-9+/=]+"')


def active(app: AppTest) -> list[tuple[str, str]]:
    """Texts on a page in which somebody's Markdown or HTML would come alive."""
    found = []
    for node in app._tree:
        proto, kind = getattr(node, "proto", None), str(node.type)
        if proto is None or kind in SHOWN_AS_TEXT or not hasattr(proto, "ListFields"):
            continue
        for text in texts(proto):
            text = OWN_MARK.sub("", text).replace(OWN_SCRIPTS, "")
            signs = ALIVE_IN_HTML if kind == "html" else ACTIVE
            if any(sign in text.replace("\\" + sign[0], "") for sign in signs):
                found.append((kind, text[:200]))
    return found


def test_scripts_in_run_cards_are_shown_as_text(hostile):
    pages = {
        "history": {"run": [hostile[0]]},
        "compare": {"runs": ",".join(hostile)},
        "race": {"runs": ",".join(hostile)},
        "train": {"run": hostile[0]},
        "data": {},
        "hardware": {},
    }
    for name, parameters in pages.items():
        assert active(page(name, **parameters)) == [], name


def test_the_test_of_scripts_finds_them():
    app = AppTest.from_string(f"import streamlit as st; st.caption({PAYLOAD!r})").run()
    assert active(app)


def test_scripts_in_run_cards_do_not_run_in_a_report(hostile):
    history = History()
    text = html([history.card(run_id) for run_id in hostile]).decode()
    history.close()
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "default-src &#39;none&#39;" in text
