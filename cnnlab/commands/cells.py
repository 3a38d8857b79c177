"""What the cells of a sweep came to: one JSON document, or a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.table import Table

from cnnlab import sweep as sweeps
from cnnlab import words
from cnnlab.analysis import cost
from cnnlab.commands.shared import out
from cnnlab.history import SweepRecord
from cnnlab.sweep import CellResult


def document(
    record: SweepRecord,
    found: Sequence[CellResult],
    fitted: Mapping[cost.Setting, cost.CostModel],
) -> dict[str, Any]:
    """What `sweep --json` prints."""
    return {
        "schema": "cnnlab.sweep/1",
        "sweep_id": record.sweep_id,
        "name": record.name,
        "status": record.status,
        "error": record.error,
        "created_at": record.created_at,
        "plan": record.plan.model_dump(mode="json"),
        "seconds": record.seconds,
        "cells": [_cell(result) for result in found],
        "cost_models": [_model(setting, model) for setting, model in fitted.items()],
        "gains": sweeps.gains(found),
        "verdict": sweeps.verdict(found),
    }


def _model(setting: cost.Setting, model: cost.CostModel) -> dict[str, Any]:
    """Coefficients in ms: of a step, a kernel call, a FLOP, a byte."""
    return {
        **asdict(setting),
        "ms_per": dict(zip(cost.FEATURES, model.coefficients, strict=True)),
        "cells": model.cells,
        "held_out_error": model.error,
    }


def _cell(result: CellResult) -> dict[str, Any]:
    figure, model = result.figure, result.model
    return {
        "cell": result.cell.number,
        "values": result.cell.values,
        "device": result.cell.device,
        "step_ms_median": figure.step_ms,
        "images_per_second": result.images_per_second,
        "us_per_image": result.us_per_image,
        "noisy": figure.noisy,
        "measurements": len(figure.measured),
        "run_id": result.run_id,
        "runs": result.run_ids,
        "parameters": model and model.parameters,
        "flops_per_image": model and model.flops_per_image,
        "error": result.error,
    }


def show(record: SweepRecord, found: Sequence[CellResult]) -> None:
    """Print a sweep as a table, and what can be said of it."""
    axes = [axis.name for axis in record.plan.axes]
    table = Table(*axes, "device", "ms/step", "images/s", "parameters", "")
    for result in found:
        table.add_row(
            *(str(result.cell.values[axis]) for axis in axes),
            result.cell.device,
            words.number(result.figure.step_ms),
            words.number(result.images_per_second),
            words.count(result.model.parameters if result.model else None),
            result.error or ("noisy" if result.figure.noisy else ""),
        )
    out.print(table)
    if said := sweeps.verdict(found):
        click.echo(said)
    for device, each in sweeps.gains(found).items():
        told = (
            f"{choice} {words.number(gain)} (against {sweeps.CHOICES[choice].against})"
            for choice, gain in each.items()
        )
        click.echo(f"Times as fast on {device}: {', '.join(told)}.")
    click.echo(f"{record.sweep_id} {record.status} after {words.duration(record.seconds)}.")
