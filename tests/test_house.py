"""The house rules that no reader can keep an eye on: who may import whom, and what pages load."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnlab.history import History
from cnnlab.room import Audience, Bets, Lead, Proposals
from cnnlab.runner import Errands, Lab
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cnnlab"
HEAVY = {"keras", "torch"}

# What each room may import of the others. A new room must be entered here.
ROOMS: dict[str, set[str]] = {
    "spec": set(),
    "words": set(),
    "version": set(),
    "processes": set(),
    "datasets": {"spec"},
    "checkpoints": {"spec"},
    "learned": {"spec"},
    "models": {"spec"},
    "takeaway": {"spec", "models", "learned"},
    "devices": {"spec", "version", "processes"},
    "engines": {"spec", "models", "devices"},
    "training": {
        *("spec", "words", "checkpoints", "learned", "datasets", "models", "devices", "engines")
    },
    "worker": {"spec", "checkpoints", "learned", "datasets", "devices", "training"},
    "sweep": {"spec"},
    "sharing": {"spec"},
    "runner": {"spec", "sweep", "race", "checkpoints", "learned"},
    "room": {"spec", "words"},
    "history": {"spec", "processes"},
    "insight": {"spec", "models", "learned"},
    "cluster": {"spec", "version", "checkpoints", "datasets", "devices", "runner"},
    "analysis": {"spec", "words", "models"},
    "charts": {"spec", "words", "analysis"},
    "report": {"spec", "words", "learned", "analysis", "charts", "published"},
    "published": {"spec"},
    "recorded": {"spec", "report"},
    "race": {"spec", "words", "datasets", "analysis", "published", "recorded"},
    "ladder": {"spec", "words", "datasets", "analysis"},
    "progress": {"spec", "words"},
    "lessons": {"spec", "words", "analysis", "published"},
}
PAGES_MAY = set(ROOMS) - {"engines", "training", "worker", "progress"}
ROOMS["commands"] = set(ROOMS)
ROOMS["__main__"] = set(ROOMS)
ROOMS["ui"] = PAGES_MAY


def room_of(path: Path) -> str:
    """The room that a file of the package belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST, package: str = "") -> Iterator[str]:
    """Every module that is imported anywhere in a tree, by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{package} imports relatively, which hides the room"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def when_loaded(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported: not functions, not type checking."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def rooms_imported(names: Iterator[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("cnnlab.")}


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_stands_above_it(path):
    room = room_of(path)
    if room == "__init__":
        return
    assert room in ROOMS, f"{room} is a new room: say in ROOMS what it may import"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    beyond = rooms_imported(imports(tree, str(path))) - ROOMS[room] - {room}
    assert not beyond, f"{path.name} imports {sorted(beyond)}"


@pytest.mark.parametrize(
    "path", [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))], ids=lambda path: path.name
)
def test_a_page_imports_the_lab_but_no_training(path):
    names = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
    assert rooms_imported(iter(names)) <= PAGES_MAY | {"ui"}
    assert not {name.split(".")[0] for name in names} & HEAVY


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("*.py")), ids=lambda path: path.stem)
def test_a_page_first_makes_sure_that_the_app_is_around_it(path):
    first = next(
        node
        for node in ast.parse(path.read_text()).body
        if not isinstance(node, ast.Import | ast.ImportFrom) and not is_docstring(node)
    )
    assert ast.unparse(first) == "top.require_app()"


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


# The wings of the ui, one for each page, the upper ones first. A wing may import those below it and
# the ground floor, which all share; the ground floor imports no wing.
WINGS = (
    "room",
    "learn",
    "history",
    "race",
    "hardware",
    "data",
    "inspect",
    "compare",
    "train",
    "explore",
    "run",
)
UI = PACKAGE / "ui"


def wing_of(path: Path) -> str | None:
    """The wing that a file of the ui stands in; None for the ground floor."""
    return path.relative_to(UI).parts[0] if path.parent != UI else None


def test_each_wing_has_its_floor():
    assert sorted(WINGS) == sorted(path.parent.name for path in UI.glob("*/__init__.py"))


@pytest.mark.parametrize(
    "path", sorted(UI.rglob("*.py")), ids=lambda path: str(path.relative_to(UI))
)
def test_a_wing_imports_only_what_is_below_it(path):
    wing = wing_of(path)
    below = set(WINGS[WINGS.index(wing) :]) if wing else set()
    names = imports(ast.parse(path.read_text(encoding="utf-8")))
    used = {name.split(".")[2] for name in names if name.startswith("cnnlab.ui.")} & set(WINGS)
    assert not used - below, f"{path} imports {sorted(used - below)}"


def test_a_file_of_the_ui_does_not_repeat_the_name_of_its_folder():
    assert not [path for path in UI.rglob("*.py") if path.name.startswith(path.parent.name)]


def test_no_file_of_the_house_is_longer_than_a_reader_can_hold():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    assert not {path: count for path, count in lines.items() if count > 400}


def test_only_the_ui_knows_streamlit():
    knowing = {
        room_of(path)
        for path in files()
        if any(n.split(".")[0] == "streamlit" for n in imports(ast.parse(path.read_text("utf-8"))))
    }
    assert knowing == {"ui"}


INSIGHT_ALONE = {PACKAGE / "insight" / "networks.py", PACKAGE / "insight" / "looking.py"}
"""What the process that looks into networks loads, and nobody else."""


def test_only_its_own_process_loads_what_looks_into_networks():
    inner = {f"cnnlab.insight.{path.stem}" for path in INSIGHT_ALONE}
    for path in set(files()) - INSIGHT_ALONE:
        for node in when_loaded(ast.parse(path.read_text(encoding="utf-8"))):
            loaded = set(imports(ast.Module([node], [])))
            found = {name for name in loaded if name.startswith(tuple(inner))}
            assert not found, f"{path.name}:{node.lineno} loads {found}"


def test_what_pages_load_imports_neither_keras_nor_torch_when_it_is_loaded():
    for path in files():
        if room_of(path) not in PAGES_MAY | {"ui"} or path in INSIGHT_ALONE:
            continue
        for node in when_loaded(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                loaded = {name.split(".")[0] for name in imports(ast.Module([node], []))}
                assert not loaded & HEAVY, f"{path.name}:{node.lineno} loads {loaded & HEAVY}"


# --- who may act ----------------------------------------------------------------------------

GATES = {PACKAGE / "ui" / "lab.py", PACKAGE / "ui" / "keeping.py"}
GATES |= {PACKAGE / "ui" / "explore" / "sweeps.py"}
GATES |= {PACKAGE / "ui" / "data" / "gate.py"}
GATES |= {PACKAGE / "ui" / "run" / "gate.py"}
GATES |= {UI / "audience.py"}
# What pages may ask of the history and of the lab; all else of theirs changes something.
LOOKING = {"deleted", "card", "steps", "memory", "epochs", "summaries", "sessions", "origin"}
LOOKING |= {"queued", "running", "busy", "hardware", "live", "wait_idle", "sweeps", "races"}
LOOKING |= {"stopping"}
LOOKING |= {"open_for", "failed", "trained_elsewhere", "accuracies", "training"}
LOOKING |= {"find", "tally", "own_data", "whole_runs", "sweeps_brought_in"}
LOOKING |= {"count", "led", "leads", "book", "proposed", "changes"}
VISITORS_MAY = {"look_in", "place_bet", "propose"}
"""What the gate lets everybody do; the room holds it against its bounds."""
FOLLOWS_THE_QUEUE = {"keep_up_with_races"}
"""It tells the room how the lab's races stand, and is told of no wish of a browser."""
# What the modules themselves offer that acts: it writes, loads or starts something.
DEEDS = {"datasets": {"load", "fetch", "draw_ahead"}}
DEEDS["takeaway"] = {"make"}
DEEDS["drafts"] = {"put_aside", "read", "keep", "discard", "tidy"}
DEEDS["cluster"] = {"start"}
DEEDS["devices"] = {"compile_anew", "drop_compiled", "tidy_compiled"}
DEEDS["runner"] = {"probe", "Errands", "Lab", "Worker"}
DEEDS["learned"] = {"Writer", "bring_back", "discard", "pack", "set_aside", "tidy", "unpack"}
DEEDS["learned"] |= {"write_settings"}
HELD = (History, Lab, Errands, Audience, Lead, Bets, Proposals)
OPENERS = {"_elsewhere", "_open_errands", "_open_history", "_open_lab"}
"""They make what the rest acts upon, and are told of no wish of a browser."""


def acts() -> set[str]:
    """The methods of the history, the lab and the room that change what they hold."""
    names = {name for kind in HELD for name in vars(kind) if name[0] != "_"}
    return names - LOOKING


def deeds(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a tree reaches for something that acts: the line, and what it reaches for."""
    nodes = list(ast.walk(tree))
    # A table's `rename` is none of the history's.
    tables = {
        id(node.func)
        for node in nodes
        if isinstance(node, ast.Call) and any(word.arg == "columns" for word in node.keywords)
    }
    for node in nodes:
        if isinstance(node, ast.Attribute) and id(node) not in tables:
            base = ast.unparse(node.value)
            on_lab = node.attr in acts() and base not in ("lab", "keeping", "audience", "st")
            if on_lab or node.attr in DEEDS.get(base, ()):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("History", "probe"):
            yield node.lineno, ast.unparse(node.func)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            yield from ((node.lineno, name) for name in imported_deeds(node))


def imported_deeds(node: ast.ImportFrom | ast.Import) -> Iterator[str]:
    room = (getattr(node, "module", None) or "").removeprefix("cnnlab.").split(".")[0]
    for alias in node.names:
        if "subprocess" in (alias.name, room) or alias.name in DEEDS.get(room, ()):
            yield alias.name


PAGE_FILES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]
PAGE_FILES += sorted(set((PACKAGE / "ui").rglob("*.py")) - GATES)


@pytest.mark.parametrize("path", PAGE_FILES, ids=lambda path: path.name)
def test_what_pages_change_they_change_through_the_gate(path):
    found = list(deeds(ast.parse(path.read_text(encoding="utf-8"))))
    assert not found, (
        f"{path.name} acts past the gate (ui/lab.py, audience.py, explore/sweeps.py): {found}"
    )


def test_the_gate_asks_for_the_presenter_before_it_changes_anything():
    trees = [ast.parse(gate.read_text(encoding="utf-8")) for gate in GATES]
    free = OPENERS | VISITORS_MAY | FOLLOWS_THE_QUEUE
    acting = {
        node.name: [ast.unparse(mark) for mark in node.decorator_list]
        for node in (node for tree in trees for node in tree.body)
        if isinstance(node, ast.FunctionDef) and node.name not in free and list(deeds(node))
    }
    assert {"start", "stop", "describe", "move", "delete", "restore", "bring_in"} <= set(acting)
    assert {"take_apart", "try_cure", "call_off", "make_file", "set_limits"} <= set(acting)
    assert {"lead_to", "open_bets", "queue_proposal", "dismiss_proposal"} <= set(acting)
    assert {"begin", "pause", "stop_sweep", "go_on", "calibrate"} <= set(acting)
    assert {"hand_in", "look_through", "keep", "throw_away", "keep_pictures"} <= set(acting)
    unguarded = [name for name, marks in acting.items() if "presenters_only" not in marks]
    assert not unguarded, f"{unguarded} act without @presenters_only"


def test_the_test_of_the_gate_finds_what_it_looks_for():
    hidden = "from cnnlab.ui.lab import history\nkept = history()\nkept.delete('x')"
    assert [what for _, what in deeds(ast.parse(hidden))] == ["kept.delete"]
    assert list(deeds(ast.parse("lab.lab().submit(spec)")))
    assert list(deeds(ast.parse("on(click=lab.lab().stop)")))
    assert list(deeds(ast.parse("from cnnlab.datasets import fetch")))
    assert list(deeds(ast.parse("datasets.fetch('x')")))
    assert not list(deeds(ast.parse("frame.rename(columns={})\nlab.stop(run_id)\nst.stop()")))


OPEN_EVERY_PAGE = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest

from cnnlab.ui import lab

at = AppTest.from_file(str(Path("app.py").resolve()), default_timeout=300).run()
for page in sorted(Path("pages").glob("*.py")):
    at.switch_page(str(page)).run()
    assert not at.exception, (page, at.exception)
    print(page.name)
found = {"keras", "torch"} & set(sys.modules)
lab.lab().close()
assert not found, found
"""


def test_every_page_opens_without_keras_and_torch_in_the_process():
    done = subprocess.run(
        [sys.executable, "-c", OPEN_EVERY_PAGE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert set(done.stdout.split()) == {page.name for page in (ROOT / "pages").glob("*.py")}


def test_a_figure_of_our_own_that_comes_to_nothing_fails_a_test() -> None:
    said = {"category": RuntimeWarning, "filename": "any.py", "lineno": 1}
    with pytest.raises(RuntimeWarning, match="divide by zero"):
        warnings.warn_explicit("divide by zero", module="cnnlab.analysis.any", **said)
