"""The cost model finds the coefficients behind cells, none below zero, and says how wrong it is."""

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
    assert flops == 3 * 32 * 2 * (784 * 300 + 300 * 100 + 100 * 10)
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
