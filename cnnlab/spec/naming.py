"""What a recipe is called: the preset that it comes closest to, and what was changed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from cnnlab.spec.experiment import HERE, ExperimentSpec
from cnnlab.spec.labels import choice
from cnnlab.spec.presets import DEFAULT_PRESET, FRESH, PRESETS

Raw = dict[str, Any]


@lru_cache(maxsize=1024)
def nearest_preset(spec: ExperimentSpec) -> str:
    """The preset that differs from a spec in the fewest fields, first the default one."""
    names = sorted(PRESETS, key=lambda name: name != DEFAULT_PRESET)
    return min(names, key=lambda name: len(changes(spec, PRESETS[name].spec)))


def changes(spec: ExperimentSpec, base: ExperimentSpec) -> dict[str, tuple[Any, Any]]:
    """Fields that differ, by dotted path: the value in `base`, and that in `spec`.

    A path of a network is that of one layer's field. Where the layers themselves are others, in
    number or in kind, `model.blocks` or `model.family` stands for them all.
    """
    return dict(_changes(base.model_dump(mode="json"), spec.model_dump(mode="json"), ""))


def _changes(before: Any, after: Any, path: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if isinstance(before, dict) and isinstance(after, dict):
        if before.get("family") != after.get("family"):
            yield f"{path}family", (before["family"], after["family"])
            before = FRESH[after["family"]].model_dump(mode="json")
        for name in after:
            yield from _changes(before[name], after[name], f"{path}{name}.")
    elif _alike(before, after):
        for place, pair in enumerate(zip(before, after, strict=True)):
            yield from _changes(*pair, f"{path}{place}.")
    elif before != after:
        yield path.removesuffix("."), (before, after)


def _alike(before: Any, after: Any) -> bool:
    """Two lists of layers of the same make."""
    lists = isinstance(before, list) and isinstance(after, list) and len(before) == len(after)
    return lists and all(isinstance(item, dict) for item in (*before, *after)) and bool(before)


# --- in words -------------------------------------------------------------------------------


def _sizes(values: list[int]) -> str:
    """Sizes of layers: one number where all have it."""
    return f"{values[0]:,}" if len(set(values)) == 1 else "-".join(f"{size:,}" for size in values)


def _convs(raw: Raw, name: str) -> list[int]:
    return [conv[name] for block in raw["model"]["blocks"] for conv in block["convs"]]


def _filters(raw: Raw) -> str:
    return f"{_sizes(_convs(raw, 'filters'))} filters"


def _kernels(raw: Raw) -> str:
    return f"{_sizes(_convs(raw, 'kernel'))} kernel"


def _blocks(raw: Raw) -> str:
    blocks = (
        "+".join(f"{conv['filters']:,}" for conv in b["convs"]) for b in raw["model"]["blocks"]
    )
    return f"{'-'.join(blocks)} filters"


def _pools(raw: Raw) -> str:
    return f"pool {_sizes([block['pool'] for block in raw['model']['blocks']])}"


def _dense(raw: Raw) -> str:
    units = raw["model"]["dense"]
    return f"dense {'-'.join(f'{size:,}' for size in units)}" if units else "no dense layer"


def _threads(raw: Raw) -> str:
    count = raw["threads"]
    return "usual threads" if count is None else f"{count} thread{'s' if count > 1 else ''}"


def _limit(raw: Raw) -> str:
    return "all examples" if raw["train_limit"] is None else f"{raw['train_limit']:,} examples"


def _device(raw: Raw) -> str:
    device = str(raw["device"])
    return {"auto": "any device", "cpu": "CPU", "cuda": "GPU"}.get(device, device)


def _precision(raw: Raw) -> str:
    return str(raw["precision"]).removeprefix("mixed_")


_WORDS: dict[str, Callable[[Raw], str]] = {
    "model.family": lambda raw: choice("model.family", raw["model"]["family"]),
    "model.cell": lambda raw: choice("model.cell", raw["model"]["cell"]),
    "model.blocks": _blocks,
    "filters": _filters,
    "kernel": _kernels,
    "pool": _pools,
    "model.recurrent": lambda raw: f"{_sizes(raw['model']['recurrent'])} units",
    "model.dense": _dense,
    "model.dropout": lambda raw: f"dropout {raw['model']['dropout']:g}",
    "model.batch_norm": lambda raw: "batch norm" if raw["model"]["batch_norm"] else "no batch norm",
    "model.activation": lambda raw: str(raw["model"]["activation"]),
    "model.initializer": lambda raw: str(raw["model"]["initializer"]),
    "model.padding": lambda raw: f"padding {raw['model']['padding']}",
    "model.head": lambda raw: choice("model.head", raw["model"]["head"]).lower(),
    "model.sequence_length": lambda raw: (
        f"last {raw['model']['sequence_length']:,} steps"
        if raw["model"]["sequence_length"]
        else "all steps"
    ),
    "batch_size": lambda raw: f"batch {raw['batch_size']:,}",
    "epochs": lambda raw: f"{raw['epochs']:,} epoch{'s' if raw['epochs'] > 1 else ''}",
    "optimizer": lambda raw: choice("optimizer", raw["optimizer"]),
    "learning_rate": lambda raw: f"rate {raw['learning_rate']:g}",
    "train_limit": _limit,
    "validation_split": lambda raw: f"{raw['validation_split']:.3g} to validate",
    "precision": _precision,
    "tf32": lambda raw: f"TF32 {raw['tf32']}",
    "engine": lambda raw: str(raw["engine"]),
    "compile": lambda raw: "compiled" if raw["compile"] else "not compiled",
    "device": _device,
    "machine": lambda raw: f"on {raw['machine']}" if raw["machine"] != HERE else "here",
    "gpu_off": lambda raw: "GPU off" if raw["gpu_off"] != "none" else "GPU on",
    "threads": _threads,
    "seed": lambda raw: f"seed {raw['seed']:,}",
}
"""By dotted path, or by the name of a field of every layer; changes are told in this order."""


def changed_in_words(spec: ExperimentSpec, base: ExperimentSpec) -> list[str]:
    """What was changed, a few words for each field: `48-32 filters`, `batch 64`, `CPU`.

    The data set is left to who knows what it is called.
    """
    raw = spec.model_dump(mode="json")
    changed = changes(spec, base)
    keys = {path if path in _WORDS else path.rpartition(".")[2] for path in changed}
    if "model.blocks" in keys or "convs" in keys:
        keys = keys - {"convs", "filters", "kernel", "pool"} | {"model.blocks"}
    order = list(_WORDS)
    known = sorted(keys & set(order), key=order.index)
    rest = sorted(keys - set(order) - {"dataset"})
    return [_WORDS[key](raw) for key in known] + [f"{key} {raw.get(key)}" for key in rest]


def recipe_name(spec: ExperimentSpec) -> str:
    """`Tiny · 48 filters · batch 64`: the nearest preset and what was changed of it."""
    preset = PRESETS[nearest_preset(spec)]
    return " · ".join([preset.title, *changed_in_words(spec, preset.spec)])
