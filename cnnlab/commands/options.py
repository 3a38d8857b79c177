"""The options that make a spec: where it begins, and what is changed of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from cnnlab import datasets
from cnnlab.spec import (
    PRESETS,
    Engine,
    ExperimentSpec,
    GpuOff,
    LabError,
    Optimizer,
    Precision,
    Problem,
    SpecError,
    Split,
    Tf32,
    change,
    decoded,
    parse_spec,
)
from cnnlab.spec.fields import Raw, assign, paths


class _Numbers(click.ParamType):
    """Whole numbers with commas between: the layers' sizes."""

    name = "N[,N…]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of whole numbers; write it like 48,32.", param, ctx)


NUMBERS = _Numbers()
OPTIONS = (
    click.option("--preset", type=click.Choice(list(PRESETS)), help="Spec to start from."),
    click.option("--spec", "file", type=click.Path(path_type=Path), help="Spec as JSON file."),
    click.option("--dataset", help="Registry name, or path of an archive, folder, .npz or .csv."),
    click.option("--limit", "train_limit", type=int, help="Use the first N pictures or sequences."),
    click.option(
        "--split", type=click.Choice(get_args(Split)), help="Validate on the last, or on shares."
    ),
    click.option("--epochs", type=int, help="How often to go over them."),
    click.option("--batch-size", type=int, help="Pictures or sequences per step."),
    click.option("--filters", type=NUMBERS, help="Of all Conv2D layers, or of each in turn."),
    click.option(
        "--units", type=NUMBERS, help="Of the Dense, or the recurrent, layers: of all, or of each."
    ),
    click.option("--optimizer", type=click.Choice(get_args(Optimizer)), help="Rule of the steps."),
    click.option("--learning-rate", type=float, help="How far each step goes."),
    click.option("--device", help="auto, cpu, cuda, cuda:1, mps …"),
    click.option("--machine", help="here, or one that `machines list` names."),
    click.option("--gpu-off", type=click.Choice(get_args(GpuOff)), help="How to leave it."),
    click.option("--engine", type=click.Choice(get_args(Engine)), help="stock: as published."),
    click.option("--precision", type=click.Choice(get_args(Precision)), help="Keras policy."),
    click.option("--tf32", type=click.Choice(get_args(Tf32)), help="On NVIDIA cards."),
    click.option("--threads", type=int, help="CPU threads of a step."),
    click.option("--seed", type=int, help="Of initial weights, batch order and dropout."),
    click.option(
        "--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="Any field; see below."
    ),
)
FIELDS_HELP = "Fields for --set (N counts from 0):\n\n\b\n" + "\n".join(f"  {p}" for p in paths())


def spec_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that make a spec; those of the spec itself are None if absent."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def make_spec(
    preset: str | None,
    file: Path | None,
    assignments: Sequence[str] = (),
    filters: Sequence[int] | None = None,
    units: Sequence[int] | None = None,
    **changes: Any,
) -> ExperimentSpec:
    """The spec that the options describe: `--set` comes last.

    Raises:
        LabError: both a preset and a file, an unreadable file, or a spec that cannot work.
    """
    if preset and file:
        raise LabError("--preset and --spec both name a spec to start from; give one of them.")
    spec = _read_spec(file) if file else PRESETS[preset or "tiny"].spec
    given = {name: value for name, value in changes.items() if value is not None}
    spec = change(spec, **given) if given else spec
    for sizes, put in ((filters, _put_filters), (units, _put_units)):
        if sizes is not None:
            raw = spec.model_dump(mode="json")
            put(raw, sizes)
            spec = parse_spec(raw)
    spec = assign(spec, assignments) if assignments else spec
    return change(spec, dataset=_found(spec.dataset))


def _found(dataset: str) -> str:
    """A path as it is from everywhere; a registry's name as it is."""
    path = Path(dataset)
    return str(path.resolve()) if dataset not in datasets.REGISTRY and path.exists() else dataset


def _put_filters(raw: Raw, sizes: Sequence[int]) -> None:
    if raw["model"]["family"] != "cnn":
        _refuse("filters", sizes, "only a CNN has Conv2D layers; use --units")
    convs = [conv for block in raw["model"]["blocks"] for conv in block["convs"]]
    if len(sizes) not in (1, len(convs)):
        _refuse("filters", sizes, f"the network has {len(convs)} Conv2D layers; give 1 or as many")
    for place, conv in enumerate(convs):
        conv["filters"] = sizes[place % len(sizes)]


def _put_units(raw: Raw, sizes: Sequence[int]) -> None:
    model = raw["model"]
    name = "recurrent" if model["family"] == "rnn" else "dense"
    model[name] = list(sizes) * max(1, len(model[name])) if len(sizes) == 1 else list(sizes)


def _refuse(field: str, sizes: Sequence[int], allowed: str) -> None:
    raise SpecError([Problem(field=field, value=",".join(map(str, sizes)), allowed=allowed)])


def _read_spec(file: Path) -> ExperimentSpec:
    try:
        data = json.loads(decoded(file.read_bytes()))
    except OSError as error:
        raise LabError(f"The spec file {file} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LabError(f"The spec file {file} is not JSON: {error}.") from error
    return parse_spec(data)
