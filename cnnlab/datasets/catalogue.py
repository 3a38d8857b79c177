"""What can be said of a data set without reading it, and which there are."""

from __future__ import annotations

from cnnlab.datasets import names, store, texts, windows
from cnnlab.datasets.registry import REGISTRY, Entry
from cnnlab.datasets.windows import source
from cnnlab.spec import (
    PRESETS,
    ExperimentSpec,
    Frozen,
    Kind,
    LabError,
    Understood,
    data_file,
    nearest_preset,
    recipe_name,
)

LONGEST_NAME = 120


class DatasetInfo(Frozen):
    """What can be said of a data set without reading it; None where that is unknown."""

    name: str
    title: str
    image_shape: tuple[int, int, int] | None
    """Height, width, channels of a picture; steps, features, 1 of a sequence."""
    classes: int | None
    train_images: int | None
    synthetic: bool
    ready: bool
    """Nothing needs to be downloaded or decoded any more."""
    origin: str
    """One line for a person: where it comes from."""
    kind: Kind = "pictures"
    understood: Understood | None = None
    """What its files were taken for; null until they were read."""


def info(name: str) -> DatasetInfo:
    """What is known of a data set, without reading, downloading or preparing it.

    Raises:
        LabError: there is no such data set; suggests names that are near.
    """
    facts = store.meta(names.key_of(name, remembered=True))
    if entry := REGISTRY.get(name):
        return DatasetInfo(
            name=name,
            title=entry.title,
            image_shape=entry.image_shape,
            classes=entry.classes,
            train_images=entry.train_images,
            synthetic=entry.draw is not None,
            ready=facts is not None or entry.draw is not None,
            origin=_origin(entry, facts is not None),
            kind=entry.kind,
            understood=facts and facts.understood,
        )
    path = names.path_of(name)
    options = source(name)[1]
    count, shape = _counted(facts)
    return DatasetInfo(
        name=name,
        title=f"{path.name}?{options}" if options else path.name,
        image_shape=shape,
        classes=len(facts.class_names) if facts else None,
        train_images=count,
        synthetic=False,
        ready=facts is not None,
        origin=str(path),
        kind="series" if texts.is_table(path) else "pictures",
        understood=facts and facts.understood,
    )


def title(name: str) -> str:
    """What a data set is called: one of the registry by its title, any other by its file."""
    entry = REGISTRY.get(name)
    return entry.title if entry else data_file(name)


def run_name(spec: ExperimentSpec, part_of: str = "") -> str:
    """What a run is called when nobody says: its preset, its data where they are others, and what
    was changed, in 120 signs at most.

    Args:
        part_of: Race or Sweep, which then stands before it.
    """
    recipe, *changed = recipe_name(spec).split(" · ")
    if spec.dataset != PRESETS[nearest_preset(spec)].spec.dataset:
        recipe += f" on {title(spec.dataset)}"
    before = f"{part_of}: " if part_of else ""
    whole = before + " · ".join([recipe, *changed])
    return whole if len(whole) <= LONGEST_NAME else f"{whole[: LONGEST_NAME - 1]}…"


def _counted(facts: store.Meta | None) -> tuple[int | None, tuple[int, int, int] | None]:
    """How many pictures or sequences a prepared data set has, and their shape."""
    if facts is None:
        return None, None
    rows, _, columns, _ = facts.shape
    if cut := facts.windows:
        found = sum(windows.count(n, cut.window, cut.horizon) for n in cut.series or (rows,))
        return found, (cut.window, columns - bool(cut.series), 1)
    return rows, facts.shape[1:]


def _origin(entry: Entry, prepared: bool) -> str:
    if entry.draw:
        return "drawn here, synthetic"
    if prepared:
        return "downloaded and prepared here"
    if all(file.local.is_file() for file in entry.files):
        return f"in {store.folder()}, prepared when first used"
    return f"downloads {entry.size / 1e6:,.0f} MB once"


def known() -> list[DatasetInfo]:
    """The registry, then what the owner has put into `home()/datasets`, by file name.

    One that is refused already at a glance is listed with the reason as its origin.
    """
    return [info(name) for name in REGISTRY] + [_own_info(name) for name in names.own_names()]


def _own_info(name: str) -> DatasetInfo:
    try:
        return info(name)
    except LabError as error:
        return DatasetInfo(
            name=name,
            title=name,
            image_shape=None,
            classes=None,
            train_images=None,
            synthetic=False,
            ready=False,
            origin=str(error),
        )
