"""Which folders are parts of a data set, such as `train` beside `test`, and which are its classes.

A name says `train` or `test` if that is all it says, apart from words such as `set`, `images` or a
number, before, behind or run together (`training_set`, `TestImages`, `val2017`); or if it says so
behind something that its neighbours say as well (`seg_train`, `seg_test`). A name alone proves
nothing: a class may be called `train`. Folders are parts where one of them says `train` and one
beside it says `test`, `val`, `pred` or the like; this holds at any depth.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from cnnlab.spec import LeftOut

Part = Literal["train", "test"]

_TRAIN = (
    r"train(?:ing|ings|s)?|trn|entrenamiento|treino|treinamento|apprentissage"
    r"|训练|訓練|学習|학습|훈련"
)
_TEST = (
    r"test(?:ing|s)?|tst|val(?:id|ids|idation|idating|idate|s)?|dev(?:el|elopment)?|eval(?:uation)?"
    r"|hold(?:ing)?out|heldout|pred(?:ict|icted|icting|iction|ictions)?|infer(?:ence)?|unseen"
    r"|unlabell?ed|submission|extra|gallery|query|probe|validierung|pruebas?|teste|validaci[oó]n"
    r"|validação|测试|測試|验证|驗證|検証|テスト|테스트|검증|시험"
)
_FILLER = (
    r"(?:data(?:sets?|s)?|sets?|images?|imgs?|img|pics?|pictures?|photos?|folders?|dirs?|splits?"
    r"|samples?|examples?|files?|part|jpe?gs?|pngs?|cropped|resized|small|large|full|original|new"
    r"|final|the|all|raw|processed|subset|集|セット|データ|데이터)"
)
_ALONE = {
    "train": re.compile(rf"{_FILLER}*+(?:{_TRAIN}){_FILLER}*+"),
    "test": re.compile(rf"{_FILLER}*+(?:{_TEST}){_FILLER}*+"),
}
_WORD = {"train": re.compile(_TRAIN), "test": re.compile(_TEST)}
_FILLING = re.compile(rf"{_FILLER}*+")
_ONLY_TEST = re.compile(
    rf"{_FILLER}*+(?:test(?:ing|s)?|val(?:id|idation|s)?|eval(?:uation)?|holdout){_FILLER}*+"
)
"""What no class is called, even where nothing beside it is called `train`."""
PARTS: tuple[Part, ...] = ("train", "test")
HOLDS_AGAIN = "holds the classes once more"
NAME_SIGNS = 100
"""A longer name is no part's."""


def _says(name: str) -> tuple[Part, str] | None:
    """The part that a folder's name may mean, and what it says beside; null if none."""
    if len(name) > NAME_SIGNS:
        return None
    apart = re.sub(r"\d+x\d+", "", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    words = re.findall(r"[^\W\d_]+", apart.lower())
    together = "".join(words)
    for part in PARTS:
        if _ALONE[part].fullmatch(together):
            return part, ""
    for part in PARTS:
        if sum(bool(_WORD[part].fullmatch(word)) for word in words) == 1:
            rest = (word for word in words if not _WORD[part].fullmatch(word))
            return part, " ".join(word for word in rest if not _FILLING.fullmatch(word))
    return None


@dataclass
class _Folder:
    pictures: list[str] = field(default_factory=list)
    folders: dict[str, _Folder] = field(default_factory=dict)

    def names_below(self) -> list[str]:
        """Every picture below, in no order."""
        found: list[str] = []
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            found += folder.pictures
            waiting += folder.folders.values()
        return found


@dataclass
class Divided:
    """Pictures by part; behind each name the folders above it that are no parts."""

    train: dict[str, list[str]] = field(default_factory=dict)
    test: dict[str, list[str]] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    folders: dict[Part, list[str]] = field(default_factory=lambda: {"train": [], "test": []})
    """The folders that were taken for a part, as they are called."""
    stray: list[str] = field(default_factory=list)
    """Pictures that lie beside the parts."""


def divide(names: Iterable[str]) -> Divided:
    """Tell the parts of a data set from its classes by the names of its pictures."""
    found = Divided()
    top, prefix = _below_what_holds_all(_tree(names))
    waiting: list[tuple[_Folder, Part | None, list[str]]] = [(top, None, [])]
    while waiting:
        folder, part, above = waiting.pop()
        parts = _parts(folder)
        whole = any(here == "train" for here, _ in parts.values()) or len(parts) == len(
            folder.folders
        )
        others = sorted(set(folder.folders) - set(parts)) if parts and whole else _copies(folder)
        why = "beside the parts that were found" if whole and parts else HOLDS_AGAIN
        for other in others:
            below = len(folder.folders[other].names_below())
            found.left_out += (
                LeftOut(what="/".join([*prefix, *above, other]), why=why, count=below),
            )
        if parts and whole:
            found.stray += folder.pictures
        else:
            target = found.test if part == "test" else found.train
            target |= dict.fromkeys(folder.pictures, above)
        for name, child in folder.folders.items():
            if name in parts:
                here, stem = parts[name]
                _note(found, here, name)
                inner: Part = "test" if "test" in (part, here) else "train"
                waiting.append((child, inner, [*above, stem] if stem else above))
            elif name not in others:
                waiting.append((child, part, [*above, name]))
    return found


def _below_what_holds_all(top: _Folder) -> tuple[_Folder, list[str]]:
    """The first folder that holds several things, or nothing but pictures, and those above it."""
    prefix: list[str] = []
    while not top.pictures and len(top.folders) == 1:
        [(name, child)] = top.folders.items()
        if not child.folders:
            break
        top = child
        prefix.append(name)
    return top, prefix


def _note(found: Divided, part: Part, name: str) -> None:
    if name not in found.folders[part]:
        found.folders[part].append(name)
        found.folders[part].sort()


def _tree(names: Iterable[str]) -> _Folder:
    top = _Folder()
    for name in names:
        folder = top
        for part in name.split("/")[:-1]:
            folder = folder.folders.setdefault(part, _Folder())
        folder.pictures.append(name)
    return top


def _parts(folder: _Folder) -> dict[str, tuple[Part, str]]:
    """The folders in one that are parts, with the class that their names tell (or an empty text).

    `cats_train` beside `cats_test`, `dogs_train` and `dogs_test` are parts of classes.
    """
    by_rest: dict[str, dict[str, Part]] = defaultdict(dict)
    for name in folder.folders:
        if said := _says(name):
            by_rest[said[1]][name] = said[0]
    whole = {rest: of for rest, of in by_rest.items() if {"train", "test"} <= set(of.values())}
    if not whole and len(plain := by_rest.get("", {})) == len(folder.folders) > 1:
        whole = {"": plain} if "test" in plain.values() else {}  # test and val, without train
    if not whole:
        whole = {"": _held_out_alone(folder)}
    several = len(whole) > 1
    return {
        name: (part, rest if several else "")
        for rest, of in whole.items()
        for name, part in of.items()
    }


def _held_out_alone(folder: _Folder) -> dict[str, Part]:
    """Folders such as `test` that lie among the classes themselves."""
    found = {name for name in folder.folders if _ONLY_TEST.fullmatch(_together(name))}
    return dict.fromkeys(found, "test") if len(folder.folders) - len(found) >= 2 else {}


def _together(name: str) -> str:
    return "".join(re.findall(r"[^\W\d_]+", name[:NAME_SIGNS].lower()))


def _copies(folder: _Folder) -> list[str]:
    """The folders that hold their neighbours' names once more, as archives of archives do."""
    names = set(folder.folders)
    return sorted(
        name
        for name, child in folder.folders.items()
        if len((names - {name}) & set(child.folders)) >= 2
    )
