"""The cost model finds the coefficients behind cells, none below zero, and says how wrong it is."""

from dataclasses import replace

import numpy as np
import pytest

from cnnlab.analysis import cost
from cnnlab.analysis.cost import Sample, Setting, Work
from cnnlab.models import layer_table, step_counts
from cnnlab.spec import PRESETS, change, parse_spec

CPU = Setting("cpu", "dense", "fast", "float32", None, "default")


def samples(ms, setting=CPU, noise=0.0):
    random = np.random.default_rng(1)
    works = [
        Work(calls, flops, size)
        for calls, flops, size in zip(
            random.integers(3, 30, 24), random.uniform(1e6, 1e10, 24), random.uniform(1e5, 1e8, 24),
            strict=True,
        )
    ]  # fmt: skip
    return [Sample(setting, w, ms(w) * (1 + noise * random.standard_normal())) for w in works]


def true_ms(work):
    return 0.3 + 0.02 * work.calls + 2e-8 * work.flops + 3e-8 * work.bytes


def test_what_made_the_cells_is_found_again_and_predicts_others():
    model = cost.fit(samples(true_ms))
    assert model.error < 1e-6
    unseen = Work(12, 5e9, 2e7)
    assert model.predict(unseen) == pytest.approx(true_ms(unseen), rel=1e-6)


def test_noise_shows_in_the_held_out_error():
    quiet, loud = (cost.fit(samples(true_ms, noise=noise)).error for noise in (0.02, 0.3))
    assert 0.003 < quiet < 0.05 < loud


def test_no_coefficient_is_negative_whatever_the_cells_say():
    model = cost.fit(samples(lambda work: 5.0 - 1e-10 * work.flops))
    assert min(model.coefficients) >= 0
    assert model.predict(Work(5, 5e9, 5e7)) == pytest.approx(4.5, rel=0.2)


def test_two_kinds_of_cells_are_too_few_however_often_they_were_measured():
    a, b = (Sample(CPU, Work(3, flops, 1e6), 1.0) for flops in (1e6, 2e6))
    assert cost.fit([a, b, a, b, a]) is None
    assert cost.fit([]) is None


def test_a_repetition_does_not_give_the_answer_away():
    odd = Sample(CPU, Work(10, 1e9, 1e6), 80.0)
    model = cost.fit([*samples(true_ms)[:3], odd, odd, odd, odd])
    assert model.error > 0.3


def test_every_setting_has_a_model_of_its_own():
    gpu = Setting("cuda:0", "dense", "fast", "float32", None, "default")
    few = Setting("cpu", "cnn", "fast", "float32", None, "default")
    found = cost.fit_all(
        samples(true_ms)
        + samples(lambda work: 0.1 * true_ms(work), gpu)
        + samples(true_ms, few)[:2]
    )
    assert set(found) == {CPU, gpu}
    unseen = Work(12, 5e9, 2e7)
    assert found[CPU].predict(unseen) == pytest.approx(10 * found[gpu].predict(unseen), rel=1e-3)


# --- what a step does -----------------------------------------------------------------------


def counts(spec, shape=(28, 28, 1)):
    return step_counts(spec, layer_table(spec.model, shape, 10))


def test_a_dense_step_is_counted():
    calls, flops, size = counts(PRESETS["dense"].spec)
    assert calls == 4  # flatten, two hidden layers, softmax
    # Forward and the gradients of weights and inputs; the picture itself needs no gradient.
    assert flops == 32 * 2 * (2 * 784 * 300 + 3 * 300 * 100 + 3 * 100 * 10)
    weights = 266_610 * 4 * 9  # Adam: 5 passes over weights and gradients, 2 states read, written
    assert size == weights + 32 * (784 + 784 + 300 + 100 + 10) * 4 * 4


def test_a_recurrent_layer_starts_kernels_for_every_element_of_its_sequence():
    rnn = {"family": "rnn", "cell": "simple", "recurrent": [8, 8]}
    spec = parse_spec({"dataset": "mnist", "model": rnn})
    base = counts(spec)[0]
    assert base == 2 + 2 * 28  # reshape and softmax once
    assert counts(change(spec, model=rnn | {"cell": "lstm"}))[0] == 2 + 3 * 2 * 28


def test_half_precision_moves_half_the_outputs():
    spec = change(PRESETS["dense"].spec, optimizer="sgd")
    full, half = counts(spec)[2], counts(change(spec, precision="mixed_bfloat16"))[2]
    assert full - half == 32 * 1978 * 2 * 4


# --- threads --------------------------------------------------------------------------------


def threaded(threads, ms, chosen=True):
    """Cells whose steps took so long with so many threads; large steps where there were many."""
    setting = replace(CPU, threads=threads)
    scale = 1.0 if threads == 1 else 1e4
    found = samples(lambda work: ms, setting)
    works = (replace(one.work, flops=one.work.flops * scale) for one in found)
    return [replace(one, work=work, chosen=chosen) for one, work in zip(found, works, strict=True)]


def test_cells_of_one_thread_and_of_many_are_not_mixed_though_both_were_asked_for_nothing():
    mixed = [*threaded(1, 1.0), *threaded(8, 50.0)]
    spec = PRESETS["dense"].spec
    small, large = Work(5, 1e8, 1e6), Work(5, 5e13, 1e6)
    assert {one.step_ms for one in cost.samples_like(spec, "cpu", small, mixed)} == {1.0}
    assert {one.step_ms for one in cost.samples_like(spec, "cpu", large, mixed)} == {50.0}


def test_threads_that_are_asked_for_are_those_of_the_cells_whoever_chose_them():
    mixed = [*threaded(1, 1.0), *threaded(8, 50.0)]
    spec = change(PRESETS["dense"].spec, threads=8)
    found = cost.samples_like(spec, "cpu", Work(5, 1e8, 1e6), mixed)
    assert {one.step_ms for one in found} == {50.0}
    assert not cost.samples_like(change(spec, threads=2), "cpu", Work(5, 1e8, 1e6), mixed)


def test_cells_whose_threads_were_asked_for_do_not_say_what_an_engine_chooses():
    asked = threaded(8, 50.0, chosen=False)
    assert not cost.samples_like(PRESETS["dense"].spec, "cpu", Work(5, 1e8, 1e6), asked)
