"""What bounds a step, by figures that can be reckoned in the head."""

import pytest

from cnnlab.analysis import cures, diagnosis
from cnnlab.analysis.bounds import bounds, gb_per_second
from cnnlab.history import History
from cnnlab.spec import PRESETS, DatasetFacts, RunCard, change
from tests.example_profiles import CEILINGS, DENSE, TRIAL, layer
from tests.example_runs import CARD, CPU, add_run

SPEC = PRESETS["dense"].spec
MNIST = DatasetFacts(
    name="mnist", train_images=51_000, validation_images=9_000, classes=10, image_shape=(28, 28, 1)
)


@pytest.fixture
def card(home) -> RunCard:
    history = History()
    run = history.card(add_run(history, spec=SPEC, device=CPU))
    return run.model_copy(update={"dataset": MNIST, "profile": DENSE})


def one_of(card, **fields):
    card = card.model_copy(update=fields)
    return cures.patient(card, diagnosis.step_bound(card))


def test_the_shares_of_a_step_add_up():
    found = bounds(SPEC, (28, 28, 1), 10, DENSE)
    assert sum(found.share(bound) for bound in ("compute", "memory", "overhead")) == pytest.approx(
        1
    )
    assert sum(row.share for row in found.layers) == pytest.approx(0.43)


def test_a_layer_is_held_against_the_ceilings():
    found = bounds(SPEC, (28, 28, 1), 10, DENSE)
    first = found.layers[1]
    # The first layer that learns hands no gradient on: two products, not three.
    assert first.flops == 2 * 2 * 784 * 300 * 32
    assert first.compute_ms == pytest.approx(first.flops / 200e6)
    second = found.layers[2]
    assert second.flops == 3 * 2 * 300 * 100 * 32
    weights = 4 * 301 * 100
    activations = 4 * 32 * (300 + 100)
    assert second.bytes == 3 * weights + 3 * activations
    assert second.bound == "overhead"
    assert second.intensity == pytest.approx(second.flops / second.bytes)


def test_memory_bounds_a_layer_that_moves_much_and_reckons_little():
    pool = bounds(
        SPEC,
        (28, 28, 1),
        10,
        DENSE.model_copy(update={"layers": (layer("Flatten", 0.05, 0.0, 0.0), *DENSE.layers[1:])}),
    ).layers[0]
    assert (pool.flops, pool.bound) == (0, "memory")


def test_compute_bounds_a_step_that_is_all_products():
    layers = (layer("Flatten", 0, 0), *(layer("Dense", 0.3, 0.6) for _ in range(3)))
    busy = DENSE.model_copy(
        update={"layers": layers, "step_ms": 3.0, "host_ms": 0.05, "loss_ms": 0.05, "threads": 2}
    )
    found = bounds(SPEC, (28, 28, 1), 10, busy)
    assert found.bound == "compute"
    assert found.layers[1].of_ceiling == pytest.approx(found.layers[1].compute_ms / 0.9)


def test_nothing_is_held_against_ceilings_that_are_not_known():
    found = bounds(SPEC, (28, 28, 1), 10, DENSE.model_copy(update={"ceilings": None}))
    assert {row.bound for row in found.layers} <= {None, "overhead"}
    assert all(row.memory_ms is None for row in found.layers)
    assert found.bound == "overhead"


def test_the_bandwidth_is_that_of_the_cache_that_the_data_fit_into():
    assert gb_per_second(CEILINGS, 0.01) == pytest.approx(100)
    assert gb_per_second(CEILINGS, 10) == pytest.approx(10**1.5)
    assert gb_per_second(CEILINGS, 1e4) == pytest.approx(10)
    assert gb_per_second(None, 1) is None


def test_threads_that_are_left_idle_are_overhead_and_not_arithmetic():
    one, two = (
        bounds(SPEC, (28, 28, 1), 10, DENSE.model_copy(update={"threads": threads}))
        for threads in (1, 2)
    )
    assert (one.idle_ms, two.idle_ms) == (pytest.approx(one.compute_ms / 2), 0)
    assert one.share("compute") == pytest.approx(two.share("compute") / 2)
    for found in (one, two):
        whole = sum(map(found.share, ("compute", "memory", "overhead")))
        assert whole == pytest.approx(1)


def test_overhead_is_paid_once_whatever_the_batch():
    found = bounds(SPEC, (28, 28, 1), 10, DENSE)
    assert found.step_ms_at(32) == pytest.approx(found.step_ms)
    doubled = found.step_ms_at(64) - found.step_ms
    assert doubled == pytest.approx(found.growing_ms)
    assert found.overhead_at(64) == pytest.approx(found.overhead_ms / found.step_ms_at(64))
    assert 1 < found.gain_at(64) < 2


def test_the_sentence_names_the_overhead_and_what_a_larger_batch_would_make_of_it(card):
    one = one_of(card)
    said = diagnosis.sentence(one)
    share = round(100 * one.found.share("overhead"))
    assert said.startswith(f"{share} % of this step is overhead: at batch size 32 the CPU is busy ")
    batch = cures.next_batch(one)
    then = round(100 * one.found.overhead_at(batch))
    assert said.endswith(f"At batch size {batch} it would be {then} %.")
    assert then <= 20 < round(100 * one.found.overhead_at(batch // 2))


def test_the_hosts_time_is_told_by_where_it_arises(card):
    on_cpu = one_of(card).found
    host = on_cpu.host
    assert host.framework_ms == DENSE.host_ms
    assert host.waiting_ms is None
    assert host.framework_ms + host.launching_ms == pytest.approx(on_cpu.overhead_ms)
    assert "for the framework around them" in diagnosis.host_words(on_cpu)
    on_card = one_of(card, profile=DENSE.model_copy(update={"threads": None})).found
    assert on_card.host.framework_ms is None
    assert on_card.host.waiting_ms == DENSE.host_ms
    assert on_card.host.launching_ms == pytest.approx(on_card.overhead_ms - DENSE.host_ms)
    assert "in which the card waits for it" in diagnosis.host_words(on_card)


def test_compiling_is_no_cure_where_nothing_compiles(card):
    for compiler, offered in (("g++", True), (None, False)):
        one = one_of(card, environment={**card.environment, "cxx_compiler": compiler})
        assert any(cure.change == {"compile": True} for cure in cures.cures(one)) is offered


def test_a_card_waits_for_python(card):
    profile = DENSE.model_copy(update={"threads": None})
    said = diagnosis.sentence(one_of(card, device=CARD, profile=profile))
    assert "the card waits for Python" in said
    assert ("the card waits", DENSE.host_ms) in diagnosis.rest(profile)


def test_the_first_cure_of_overhead_is_the_batch_that_makes_it_little(card):
    one = one_of(card)
    first = cures.cures(one)[0]
    assert first.change == {"batch_size": cures.next_batch(one)}
    assert first.expected == pytest.approx(one.found.gain_at(first.change["batch_size"]))
    assert not first.at_most
    assert first.title == f"batch size {first.change['batch_size']}"


def test_no_batch_is_offered_that_leaves_an_epoch_of_a_few_steps(card):
    few = MNIST.model_copy(update={"train_images": 32 * 16})
    assert cures.next_batch(one_of(card, dataset=few)) is None
    few = MNIST.model_copy(update={"train_images": 64 * 16})
    assert cures.next_batch(one_of(card, dataset=few)) == 64


def test_what_a_run_has_already_is_not_offered(card):
    names = {name for cure in cures.cures(one_of(card)) for name in cure.change}
    assert {"batch_size", "compile", "threads"} <= names
    assert "engine" not in names
    stock = one_of(card, spec=change(card.spec, engine="stock"))
    assert {"engine"} <= {name for cure in cures.cures(stock) for name in cure.change}
    had = change(card.spec, compile=True, precision="mixed_bfloat16")
    left = {name for cure in cures.cures(one_of(card, spec=had)) for name in cure.change}
    assert not left & {"compile", "precision"}


def test_a_run_without_a_profile_is_told_how_to_get_one(card):
    with pytest.raises(Exception, match=f"cnnlab why {card.run_id}"):
        diagnosis.step_bound(card.model_copy(update={"profile": None}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {},
            "Batch size 256 is 2.9 times as fast (2.8 to 3.1 over 3 pairs), where 3 was hoped for.",
        ),
        (
            {"outcome": "nothing", "ratio": 1.01, "low": 0.97, "high": 1.03, "expected": None},
            "Batch size 256 brings nothing: 1.01 times as fast (0.97 to 1.03 over 3 pairs).",
        ),
        (
            {"outcome": "slower", "ratio": 0.5, "low": 0.4, "high": 0.6},
            "Batch size 256 makes it slower: 0.5 times as fast (0.4 to 0.6 over 3 pairs), "
            "where 3 was hoped for.",
        ),
        (
            {"change": {"compile": True}},
            "torch.compile on is 2.9 times as fast (2.8 to 3.1 over 3 pairs), "
            "where 3 was hoped for.",
        ),
    ],
)
def test_what_a_trial_came_to_is_said(fields, said):
    assert cures.told(TRIAL.model_copy(update=fields)) == said


def test_a_profile_says_what_one_should_know_before_one_believes_it():
    assert diagnosis.caveats(DENSE) == []
    doubtful = DENSE.model_copy(update={"scaled": 0.5, "ceilings": None, "marks": ("Busy.",)})
    disturbed, fused, unknown = diagnosis.caveats(doubtful)
    assert disturbed == "It was disturbed. Busy."
    assert "shown at 50 %" in fused
    assert "not known" in unknown
