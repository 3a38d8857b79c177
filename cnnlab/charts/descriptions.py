"""What a screen reader says of each chart."""

from __future__ import annotations

ALT_TEXT = {
    "loss": "Line chart of the loss: training as a thin line, smoothed over a "
    "fifth of an epoch, validation as a strong one with points.",
    "accuracy": "Line chart of the accuracy: training thin, smoothed over a fifth of an "
    "epoch, validation strong with points.",
    "step_times": "Line chart of the time each training step took, with its rolling median.",
    "step_histogram": "Bar chart of how many steps took how many milliseconds.",
    "throughput": "Line chart of the images, or sequences, trained per second over time.",
    "memory": "Line chart of the memory in use over wall time, of the process and the device.",
    "overlay_loss": "Line chart of the loss of several runs, one colour each.",
    "overlay_accuracy": "Line chart of the accuracy of several runs, one colour each.",
    "overlay_step_ms": "Line chart of the step times of several runs, one colour each.",
    "compare_accuracy": "Line chart of the accuracy of the chosen runs, one colour each: training "
    "as thin lines, validation as strong ones. The table of results below has the figures.",
    "compare_loss": "Line chart of the loss of the chosen runs, one colour each: training as "
    "thin lines, validation as strong ones. The table of results below has the figures.",
    "compare_step_ms": "Line chart of the step times of the chosen runs, one colour each.",
    "compare_gap": "Line chart of how far training accuracy lies above validation accuracy, one "
    "line a run.",
    "gap": "Line chart of one run's training accuracy, thin, and validation accuracy, strong, "
    "with the gap between them shaded.",
    "race_pairs": "Points for how many times as fast each lane was in each pair, with a bar "
    "for the spread of them all, and a band within which nobody is ahead.",
    "bets": "Dots for what everybody bet, how many times as fast, stacked where they are close; "
    "the nearest are named, and a line shows where the race landed. The sentence beside it has "
    "both.",
    "front": "Points for the validation accuracy of each run over the time it took, those that "
    "nothing beats in both joined by a line.",
    "parallel": "Parallel coordinates: an axis for each thing that varies, then training time and "
    "accuracy, and a line through all of them for each variant. The table below has the figures.",
    "networks": "Two networks as blocks, one above the other, with what both have at a place in "
    "one column, and the blocks in which they differ marked. The table below has the figures.",
    "waterfall": "Waterfall of a ladder of changes: by how many times each one made training "
    "faster or slower, one below the other, up to all of them together.",
    "rungs": "Points for the validation accuracy after each change of the ladder, with bars for "
    "what so many pictures can tell.",
    "step_parts": "Stacked bars of the milliseconds of a training step: each layer forward and "
    "backward, then loss, optimizer, data and the host. The table below has the figures.",
    "roofline": "Operations a second over operations for each byte, both on logarithmic axes: a "
    "point for each layer beneath the slanted roofs of memory and the level ones of arithmetic.",
    "by_class": "Points for the share of each class that is right, the least known class on top, "
    "with a line for what so many pictures can tell.",
    "confusion": "Matrix of what each class was taken for: rows are what pictures are, columns "
    "what was said of them. The list above it has the accuracy of each class.",
    "reliability": "Points for how often the answers were right over how sure they were, with the "
    "line on which both are equal.",
    "bars": "Bars of the likeliest classes of one picture.",
    "pictures": "Pictures in rows, with what they are and what was said of them.",
    "signal": "Line chart of the sequence, a line for each feature, over its steps.",
    "pull": "Area chart of how much each step of the sequence moves the answer.",
    "ledger": "Stacked bars of where each run's wall time went, phase by phase.",
}


def alt_text(chart: str) -> str:
    """What a screen reader says of a chart: a key of `ALT_TEXT`.

    Fixed for each chart, because the text is part of what the browser compares before it decides
    to keep a view.
    """
    return ALT_TEXT[chart]
