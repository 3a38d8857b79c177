"""`runs export` and `runs import`: runs as files for other labs, for people, for spreadsheets."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast, get_args

import click
import numpy as np

from cnnlab import datasets, learned, takeaway
from cnnlab.commands.shared import emit_json, err, open_history
from cnnlab.report.cards import imported_from, read_file, to_json
from cnnlab.report.markdown import markdown
from cnnlab.report.notebook import COLAB_FORM, notebook
from cnnlab.report.page import html
from cnnlab.report.parquet import to_parquet
from cnnlab.report.script import KERAS_SETS, keras_script
from cnnlab.report.tables import steps_csv, to_csv
from cnnlab.spec import DatasetFacts, LabError, RunCard

Files = dict[Path, bytes]
Origins = Mapping[str, str]
Writer = Callable[[Sequence[RunCard], Path, Origins], Files]


# --- what is written ------------------------------------------------------------------------


def _json(cards: Sequence[RunCard], output: Path, _: Origins) -> Files:
    return {output: to_json(cards).encode()}


def _csv(cards: Sequence[RunCard], output: Path, _: Origins) -> Files:
    steps = output.with_name(f"{output.stem}-steps{output.suffix}")
    return {output: to_csv(cards).encode(), steps: steps_csv(cards).encode()}


def _parquet(cards: Sequence[RunCard], output: Path, _: Origins) -> Files:
    return {output: to_parquet(cards)}


def _html(cards: Sequence[RunCard], output: Path, origins: Origins) -> Files:
    return {output: html(cards, origins)}


def _markdown(cards: Sequence[RunCard], output: Path, origins: Origins) -> Files:
    text, drawings = markdown(cards, origins, stem=output.stem)
    beside = {output.with_name(name): drawing.encode() for name, drawing in drawings.items()}
    return {output: text.encode(errors="replace"), **beside}


def _script(cards: Sequence[RunCard], output: Path, _: Origins) -> Files:
    card, facts = _single(cards, "A script")
    data_file = _data_file(output)
    text = keras_script(
        card.spec,
        facts.image_shape,
        facts.classes,
        title=f"{card.name} (run {card.run_id})",
        data_file=data_file.name,
        kind=facts.kind,
    )
    return {output: text.encode(), **_data(card, data_file)}


def _notebook(cards: Sequence[RunCard], output: Path, _: Origins) -> Files:
    card, facts = _single(cards, "A notebook")
    data_file = _data_file(output)
    click.echo(f"Once it lies on GitHub, Colab opens it: {COLAB_FORM}", err=True)
    return {output: notebook(card, facts, data_file.name), **_data(card, data_file)}


def _model(
    form: takeaway.Form, weights: learned.At, cards: Sequence[RunCard], output: Path, _: Origins
) -> Files:
    card, data = _single(cards, "A model file")
    about = takeaway.about(card, data, learned.open_run(card.run_id), weights)
    with err.status(f"Making the {form} file, and asking it what the network answers"):
        made = takeaway.make(about, form)
    click.echo(f"It holds the {weights} weights, those after epoch {about.epoch}.", err=True)
    last = card.epochs[-1].epoch if card.epochs else None
    if weights == "final" and about.epoch != last:
        click.echo(f"Those of its last epoch, {last}, were not kept.", err=True)
    return {output: made}


def _single(cards: Sequence[RunCard], what: str) -> tuple[RunCard, DatasetFacts]:
    """The only run, and the data that it read.

    Raises:
        LabError: there are several, or it ended before.
    """
    card, *others = cards
    if others:
        raise LabError(f"{what} is of one run; export them one by one.")
    if card.dataset is None:
        raise LabError(f"Run {card.run_id} ended before its data were read; export another one.")
    return card, card.dataset


def _data_file(output: Path) -> Path:
    return output.with_name(f"{output.stem}-data.npz")


def _data(card: RunCard, data_file: Path) -> Files:
    """What goes beside the code of a run: its data, unless Keras has them."""
    return {} if card.spec.dataset in KERAS_SETS else {data_file: _pictures(card)}


def _pictures(card: RunCard) -> bytes:
    """The pictures or sequences of a run as the script reads them, in the lab's order."""
    with err.status(f"Reading {card.spec.dataset}"):
        data = datasets.for_spec(card.spec)
        file = io.BytesIO()
        np.savez_compressed(file, x_train=data.images, y_train=data.labels)
    return file.getvalue()


FORMATS: dict[str, Writer] = {
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
    "html": _html,
    "markdown": _markdown,
    "script": _script,
    "notebook": _notebook,
}
MODELS = ", ".join(takeaway.SUFFIXES)
WHOLE = frozenset({"json", "parquet"})
"""What another lab takes in."""


def _writer(kind: str, weights: learned.At | None) -> Writer:
    """What writes a format.

    Raises:
        LabError: weights are chosen for a format that holds none.
    """
    if kind in takeaway.SUFFIXES:
        return partial(_model, cast(takeaway.Form, kind), weights or "final")
    if weights:
        raise LabError(
            f"--weights is for the files of a network ({MODELS}), and {kind} is none: leave it out."
        )
    return FORMATS[kind]


# --- writing --------------------------------------------------------------------------------


def _write(files: Files, force: bool) -> None:
    """All files or, where one cannot be written, none; over what is there only by `force`."""
    _check_free(files, force)
    parts: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            parts[path] = _part(path, content)
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def _check_free(paths: Iterable[Path], force: bool) -> None:
    there = [path for path in paths if path.exists()]
    if folder := next((path for path in there if path.is_dir()), None):
        raise LabError(f"{folder} is a folder; name a file to write.")
    if there and not force:
        raise LabError(f"{there[0]} is there already; choose another name, or add --force.")


def _pack(cards: Sequence[RunCard], beside: Path) -> None:
    """Write what runs have learnt into a file beside their cards."""
    part = beside.with_name(f".{beside.name}.{os.getpid()}.part")
    try:
        learned.pack([card.run_id for card in cards], part)
        part.replace(beside)
    except OSError as error:
        raise LabError(f"{beside} cannot be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)


def learned_beside(cards_file: Path) -> Path:
    """The file with what runs have learnt, beside that with their cards."""
    return cards_file.with_name(cards_file.stem + learned.ENDING)


def _part(path: Path, content: bytes) -> Path:
    """The content in a file beside `path`, safe on the disk, to take its name."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return part


# --- the commands ---------------------------------------------------------------------------


@click.command("export")
@click.argument("run_ids", nargs=-1, required=True)
@click.option(
    "--format",
    "kind",
    type=click.Choice([*FORMATS, *takeaway.SUFFIXES]),
    default="json",
    show_default=True,
)
@click.option(
    "--weights",
    type=click.Choice(get_args(learned.At)),
    help=f"Of the run's end, or of its best epoch; for {MODELS}.  [default: final]",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--force", is_flag=True, help="Write over files that are there.")
def export_runs(
    run_ids: tuple[str, ...], kind: str, weights: learned.At | None, output: Path, force: bool
) -> int:
    """Write runs into a file, with what belongs to it beside it.

    json and parquet hold everything, for `runs import`, and NAME-learned.zip what was kept of what
    the runs have learnt: weights over the epochs, answers. csv holds the epochs, and NAME-steps.csv
    the steps. html is a report that needs no network; markdown one with drawings beside it. script
    and notebook train one run again with Keras alone, from NAME-data.npz unless Keras has its data
    set. keras, onnx, torch and safetensors hold the network that one run learnt, in float32, with
    the weights of its end or of its best epoch; each file is opened again and must answer as the
    network does before it is handed over.
    """
    write = _writer(kind, weights)
    with open_history() as history:
        cards = [history.card(run_id) for run_id in run_ids]
        found = history.summaries(run_ids=[card.run_id for card in cards], here=False)
        origins = {run.run_id: run.origin for run in found if run.origin}
    twice = len(cards) - len({card.run_id for card in cards})
    if twice:
        raise LabError("A run is named twice; name each once.")
    packed = learned_beside(output)
    packing = kind in WHOLE and any(learned.kept(card.run_id) for card in cards)
    _check_free([output, *([packed] if packing else [])], force)  # before anything takes long
    files = write(cards, output, origins)
    _write(files, force)
    if packing:
        _pack(cards, packed)
    click.echo(f"Wrote {len(cards)} {'run' if len(cards) == 1 else 'runs'} to {output}.")
    for path in [*list(files)[1:], *([packed] if packing else [])]:
        click.echo(f"Beside it: {path.name}")
    return 0


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the ids on stdout as JSON.")
def import_runs(file: Path, as_json: bool) -> int:
    """Take in runs that a lab exported.

    As json or parquet: all of a file, or none. None of the runs here is overwritten, and one that
    is here already is not taken in again. What they have learnt is taken in too, where
    NAME-learned.zip lies beside the file.
    """
    cards = read_file(file)
    with open_history() as history:
        ids = history.add_cards(cards, origin=imported_from(file.name))
    for run_id in ids:
        learned.bring_back(run_id)  # of one that was here already, and deleted
    _unpack(learned_beside(file), dict(zip((card.run_id for card in cards), ids, strict=True)))
    if as_json:
        emit_json(ids)
    else:
        click.echo(f"Imported {', '.join(ids)}.")
    return 0


def _unpack(packed: Path, ids: Mapping[str, str]) -> None:
    """Take in what runs have learnt, if it lies beside their cards."""
    if not packed.exists():
        return
    try:
        learned.unpack(packed, packed.name, ids)
    except LabError as error:
        raise LabError(f"The runs are taken in, but not what they have learnt. {error}") from error
