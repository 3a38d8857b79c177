"""A measured grid in frames and in one sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cnnlab.analysis import (
    Grid,
    Point,
    Side,
    accuracy_frame,
    border_frame,
    leading,
    ratio_frame,
    summary,
    times_frame,
)

BATCHES, UNITS = (32, 512), (64, 256, 1024)
CPU, GPU = "Example CPU", "Example GPU"
SIDES = (Side("Batch size", BATCHES), Side("Units", UNITS))


def grid(cpu, gpu=None, sides=SIDES, **changes) -> Grid:
    """A grid whose times, in µs an image, are functions of batch and units."""
    points = [
        Point(
            place=(batch, units),
            device=name,
            us_per_image=time(batch, units),
            parameters=units * 1000,
            batch_size=batch,
            **changes,
        )
        for batch in BATCHES
        for units in UNITS
        for name, time in ((CPU, cpu), (GPU, gpu))
        if time
    ]
    return Grid(sides, tuple(points))


def by_size(batch: int, units: int) -> float:
    return units / 10


def by_step(batch: int, units: int) -> float:
    return 800 / batch


def test_the_border_is_where_a_line_of_the_grid_crosses_one() -> None:
    """A CPU pays for each weight, a GPU for each step: 25 µs at batch 32 is what 250 units cost."""
    assert summary(grid(by_size, by_step), CPU, GPU) == (
        "Example GPU wins above about 250,000 parameters at batch size 32 and everywhere at batch "
        "size 512; at best 65.5 times as fast, at worst Example CPU is 3.91 times as fast."
    )


def test_the_figure_that_leads_is_the_largest_ratio_whoever_is_ahead() -> None:
    both = grid(by_size, by_step)
    assert leading(both, CPU, GPU) == ("65.5×", "as fast at best: Example GPU against Example CPU")
    slow = grid(by_size, lambda batch, units: units)
    assert leading(slow, CPU, GPU) == ("10×", "as fast at best: Example CPU against Example GPU")
    level = grid(by_size, by_size)
    assert leading(level, CPU, GPU)[1] == "as fast: neither Example CPU nor Example GPU is ahead"


def test_of_one_device_its_best_steady_time_leads() -> None:
    assert leading(grid(by_size), CPU) == ("6.4 µs", "per image at best, on Example CPU")
    assert leading(grid(by_size, noisy=True), CPU) == ("6", "cells measured on Example CPU")


def test_a_border_in_every_line_is_said_of_every_line() -> None:
    said = summary(grid(by_size, lambda batch, units: 25 if batch == 32 else 100), CPU, GPU)
    assert "above about 250,000 parameters at batch size 32" in said
    assert " and above about 1,000,000 parameters at batch size 512;" in said


def test_an_axis_that_leaves_the_network_as_it_is_is_named_itself() -> None:
    steps = (Side("Batch size", BATCHES), Side("Sequence length", UNITS))
    made = grid(by_size, by_step, sides=steps)
    same = Grid(steps, tuple(Point(**{**vars(p), "parameters": 5}) for p in made.points))
    assert "wins above about batch size" in summary(same, CPU, GPU)


@pytest.mark.parametrize(
    ("cpu", "gpu", "says"),
    [
        (40, 20, "Example GPU is the faster one in every cell: 2 to 2 times as fast"),
        (20, 60, "Example CPU is the faster one in every cell: 3 to 3 times as fast"),
    ],
)
def test_a_device_that_always_wins_is_named(cpu, gpu, says) -> None:
    assert summary(grid(lambda *_: cpu, lambda *_: gpu), CPU, GPU).startswith(says)


def test_a_border_that_is_crossed_back_is_none() -> None:
    said = summary(grid(lambda *_: 10, lambda _, u: 20 if u == 256 else 5), CPU, GPU)
    assert said.startswith("Example GPU wins in 4 of 6 cells, without a clear border")


def test_one_device_alone_says_what_is_fastest() -> None:
    assert summary(grid(by_size), CPU) == (
        "On Example CPU, batch size 32, units 64 is the fastest: 6.4 µs per image, 16 times as "
        "fast as batch size 512, units 1,024."
    )


def noisy_where(made: Grid, *places: tuple) -> Grid:
    points = [replace(point, noisy=point.place in places) for point in made.points]
    return Grid(made.sides, tuple(points))


def test_noisy_cells_are_no_extremes_of_one_device() -> None:
    made = grid(by_size)
    assert summary(noisy_where(made, (512, 1024), (512, 64)), CPU) == (
        "On Example CPU, batch size 32, units 64 is the fastest: 6.4 µs per image, 16 times as "
        "fast as batch size 32, units 1,024. Noisy cells are left out of this."
    )
    every = {point.place for point in made.points}
    assert summary(noisy_where(made, *(every - {(32, 256)})), CPU).endswith(
        "25.6 µs per image, the only steady cell so far."
    )
    assert "No cell has a steady figure" in summary(noisy_where(made, *every), CPU)


def test_a_border_among_noisy_cells_is_called_rough() -> None:
    made = grid(by_size, by_step)
    every = sorted({point.place for point in made.points})
    assert summary(noisy_where(made, *every[:4]), CPU, GPU).endswith(
        "4 of these 6 cells are noisy, so take it as a rough picture."
    )
    assert " All of these 6 cells are noisy" in summary(noisy_where(made, *every), CPU, GPU)
    assert "noisy" not in summary(noisy_where(made, *every[:3]), CPU, GPU)


def test_of_sequences_the_time_is_that_of_a_sequence() -> None:
    made = grid(by_size)
    assert "6.4 µs per sequence" in summary(Grid(made.sides, made.points, "sequence"), CPU)


def test_what_is_not_measured_yet_is_said_so() -> None:
    empty = grid(lambda *_: None, lambda *_: None)
    assert "Nothing has been measured" in summary(empty, CPU)
    assert "No cell has been measured on both" in summary(empty, CPU, GPU)
    assert ratio_frame(empty, CPU, GPU).empty
    assert border_frame(ratio_frame(empty, CPU, GPU)).empty
    assert set(times_frame(empty, CPU)["text"]) == {"…"}


def test_cells_know_their_place_their_colour_and_that_they_are_noisy() -> None:
    frame = times_frame(grid(by_size, by_step, noisy=True), CPU)
    assert len(frame) == 6
    last = frame.iloc[-1]
    assert (last["column"], last["row"], last["text"]) == (1, 2, "102 µs ~")
    assert (last["cell"], last["level"], last["noisy"]) == ("batch size 512, units 1,024", 1, "yes")
    assert frame["level"].between(0, 1).all()


def test_a_cell_that_cannot_work_is_crossed_out() -> None:
    frame = times_frame(grid(lambda *_: None, error="out of memory"), CPU)
    assert set(frame["text"]) == {"×"}


def test_the_border_line_runs_between_the_cells_that_it_parts() -> None:
    ratios = ratio_frame(grid(by_size, by_step), CPU, GPU)
    assert len(ratios) == 6
    pieces = {tuple(row) for row in border_frame(ratios).itertuples(index=False)}
    # Batch 32 loses at 64 units alone; batch 512 always wins.
    assert pieces == {(-0.5, 0.5, 0.5, 0.5), (0.5, 0.5, -0.5, 0.5)}


def test_one_axis_is_a_grid_of_one_row() -> None:
    points = [Point((n,), CPU, 10.0 / n, parameters=7, batch_size=32) for n in (1, 2)]
    single = Grid((Side("Threads", (1, 2)),), tuple(points))
    assert times_frame(single, CPU)["row"].tolist() == [0, 0]
    assert "threads 2 is the fastest: 5 µs per image, 2 times as fast" in summary(single, CPU)


def test_one_axis_of_many_values_is_a_grid_of_one_column_from_the_top() -> None:
    names = tuple(f"small cnn, batch {number}" for number in range(19))
    points = [Point((name,), CPU, 10.0) for name in names]
    single = Grid((Side("Probe", names),), tuple(points))
    frame = times_frame(single, CPU)
    assert set(frame["column"]) == {0}
    assert frame["row"].tolist() == list(range(18, -1, -1))


# --- within the noise -----------------------------------------------------------------------


def around_one(batch: int, units: int) -> float:
    """Against 100 µs: 2 % below at one size, 2 % above at the next."""
    return {64: 102.0, 256: 98.0, 1024: 101.0}[units]


def test_ratios_around_one_draw_no_line_and_name_no_winner() -> None:
    made = grid(lambda *_: 100.0, around_one)
    ratios = ratio_frame(made, CPU, GPU)
    assert border_frame(ratios).empty
    assert set(ratios["doublings"]) == {0.0}
    assert all(text.startswith("≈ ") for text in ratios["text"])
    assert summary(made, CPU, GPU) == (
        "No cell tells Example CPU and Example GPU apart by more than its noise."
    )


def test_the_noisier_the_cells_the_wider_the_border() -> None:
    """The GPU is 12 % faster: that is a lead, but none where measurements lie 10 % apart."""
    quiet, loud = (grid(lambda *_: 112.0, lambda *_: 100.0, apart=apart) for apart in (0.0, 0.1))
    assert "is the faster one in every cell" in summary(quiet, CPU, GPU)
    assert summary(loud, CPU, GPU).startswith("No cell tells")


def test_a_cell_within_the_noise_is_the_border_itself() -> None:
    made = grid(lambda *_: 100.0, lambda _, units: {64: 200.0, 256: 101.0, 1024: 50.0}[units])
    ratios = ratio_frame(made, CPU, GPU)
    assert border_frame(ratios).empty  # it runs through the cells of 256 units
    said = summary(made, CPU, GPU)
    assert "wins above about 260,000 parameters" in said
    assert said.endswith("In 2 of 6 cells neither is faster by more than noise.")


def test_cells_that_tell_nothing_do_not_count_as_wins() -> None:
    made = grid(lambda *_: 100.0, lambda _, units: 101.0 if units == 64 else 50.0)
    said = summary(made, CPU, GPU)
    assert said.startswith("Example GPU is the faster one in every cell that tells them apart: 2")


def test_a_layer_of_accuracies_goes_from_the_worst_to_the_best_and_leaves_gaps():
    side = Side("Units", (8, 16, 32))
    points = tuple(
        Point((units,), CPU, 5.0, accuracy=share)
        for units, share in zip(side.values, (0.2, None, 0.4), strict=True)
    )
    frame = accuracy_frame(Grid((side,), points), CPU)
    assert list(frame["text"]) == ["20 %", "–", "40 %"]
    assert list(frame["level"].dropna()) == [0.0, 1.0]
    assert list(frame["dark"]) == [True, False, False]  # no white words on a cell without a colour


def test_what_was_not_measured_of_a_grid_is_neither_awaited_nor_counted():
    side = Side("Units", (8, 16))
    points = [
        Point((units,), device, None if missing else us, missing=missing)
        for units, device, us, missing in (
            (8, CPU, 20.0, False),
            (8, GPU, 5.0, False),
            (16, CPU, 40.0, False),
            (16, GPU, None, True),
        )
    ]
    made = Grid((side,), tuple(points))
    assert list(times_frame(made, GPU)["text"]) == ["5 µs", "not measured"]
    assert len(ratio_frame(made, CPU, GPU)) == 1
    assert "is the faster one in every cell that was measured on both: 4" in summary(made, CPU, GPU)
