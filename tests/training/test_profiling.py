"""A step taken apart: whose time is whose, on a made-up clock, and real steps of each family."""

from types import SimpleNamespace

import pytest
import torch

from cnnlab import models
from cnnlab.engines import Parts
from cnnlab.spec import PRESETS, CnnModel, change
from cnnlab.training import profiling
from cnnlab.training.callback import Stopped
from cnnlab.training.profiling import (
    DATA,
    LOOKING,
    LOSS,
    OPTIMIZER,
    Steps,
    Stopwatch,
    mark_ms,
    plain_mark_ms,
    profile,
    put_together,
    rows_of,
    take_step,
    unchanging,
)


class MadeUpClock:
    """Shows what work says that it took."""

    def __init__(self):
        self.now = 0.0
        self.marks = []

    def mark(self):
        self.marks.append(self.now)

    def read(self):
        times = [b - a for a, b in zip(self.marks, self.marks[1:], strict=False)]
        del self.marks[:-1]
        return times

    def restart(self):
        self.marks.clear()


def worker(clock, forward, backward):
    """A layer whose passes take so long on the clock; it has a weight."""
    weight = torch.ones(1, requires_grad=True)

    class Work(torch.autograd.Function):
        @staticmethod
        def forward(context, x, weight):
            clock.now += forward
            return x * weight

        @staticmethod
        def backward(context, gradient):
            clock.now += backward
            return gradient, gradient.sum().reshape(1)

    return lambda x: Work.apply(x, weight)


def parts_of(clock, *calls):
    def passing(ms):
        clock.now += ms

    def loss(output, y):
        passing(5)
        return output.sum()

    layers = tuple((SimpleNamespace(), call) for call in calls)
    return Parts(lambda: [], layers, loss, lambda: passing(1), lambda: passing(7))


def stretches(calls, look=True):
    clock = MadeUpClock()
    watch = Stopwatch(clock, lambda: None)

    def batch():
        clock.now += 3
        return torch.ones(2), torch.ones(2)

    watch.start()
    take_step(parts_of(clock, *(make(clock) for make in calls)), batch, watch.mark, look)
    return watch.read()


def test_each_layer_has_its_own_time_forward_and_backward():
    found = stretches(
        [
            lambda clock: lambda x: x.reshape(2, 1).reshape(2),
            lambda clock: worker(clock, 10, 100),
            lambda clock: lambda x: x,
            lambda clock: worker(clock, 20, 200),
            lambda clock: lambda x: x.relu(),
        ]
    )
    assert found.pop(LOOKING) == 0
    assert found == {
        DATA: 3,
        OPTIMIZER: 8,
        LOSS: 5,
        ("forward", 0): 0,
        ("forward", 1): 10,
        ("forward", 2): 0,
        ("forward", 3): 20,
        ("forward", 4): 0,
        ("backward", 1): 100,
        ("backward", 3): 200,
        ("backward", 4): 0,
    }


def test_without_looking_the_whole_backward_pass_is_the_losses():
    found = stretches([lambda clock: worker(clock, 10, 100)], look=False)
    assert found[LOSS] == 105
    assert not [part for part in found if part[0] == "backward"]


class CostlyClock(MadeUpClock):
    """One that takes 2 ms to read."""

    def mark(self):
        super().mark()
        self.now += 2


def test_the_cost_of_a_mark_is_measured():
    assert mark_ms(Stopwatch(CostlyClock(), lambda: None), "cpu") == 2
    assert plain_mark_ms(Stopwatch(CostlyClock(), lambda: None)) == 2


TABLE = models.layer_table(PRESETS["dense"].spec.model, (28, 28, 1), 10)[1:]
KINDS = ["Flatten", "Dense", "Dense", "Dense"]
LOOKED = {
    DATA: 0.1,
    OPTIMIZER: 0.2,
    LOSS: 0.1,
    **{("forward", number): 0.1 for number in range(4)},
    **{("backward", number): 0.2 for number in range(1, 4)},
}


def made_up(plain=1.4, single=0.05):
    alone = dict.fromkeys(LOOKED, single)
    kinds = ({DATA: plain}, LOOKED, alone)
    plain_steps, marked, one = (Steps([step, step]) for step in kinds)
    return SimpleNamespace(plain=plain_steps, marked=marked, single=one)


def test_what_the_parts_do_not_explain_is_the_hosts():
    found = put_together(TABLE, KINDS, 32, step_ms=2.0, walker=made_up(), mark_ms=0.0)
    assert found.host_ms == pytest.approx(0.6)
    assert found.parts_ms == pytest.approx(found.step_ms) == pytest.approx(2.0)
    assert (found.layers[0].forward_ms, found.layers[0].backward_ms) == pytest.approx((0.1, 0))
    assert (found.layers[1].forward_ms, found.layers[1].backward_ms) == pytest.approx((0.1, 0.2))
    assert found.scaled == 1


def test_the_cost_of_looking_is_said_and_taken_off():
    walker = made_up(plain=1.3)
    walker.marked = Steps([LOOKED | {LOOKING: 0.05}])
    found = put_together(TABLE, KINDS, 32, 2.0, walker, mark_ms=0.01)
    assert found.looking_ms == pytest.approx(0.1 + 0.05)
    assert found.layers[1].backward_ms == pytest.approx(0.19)
    assert found.parts_ms == pytest.approx(2.0)


def test_parts_of_a_step_that_is_fused_are_scaled_to_it():
    found = put_together(TABLE, KINDS, 32, step_ms=0.7, walker=made_up(), mark_ms=0.0)
    assert found.scaled == pytest.approx(0.5)
    assert found.host_ms == pytest.approx(0, abs=1e-9)
    assert found.layers[1].backward_ms == pytest.approx(0.1)
    assert found.parts_ms == pytest.approx(0.7)


def test_what_does_not_grow_with_the_batch_is_told_from_what_does():
    assert unchanging(whole_ms=2.0 + 32 * 0.5, one_ms=2.0 + 0.5, batch_size=32) == pytest.approx(2)
    assert unchanging(whole_ms=32.0, one_ms=1.0, batch_size=32) == 0
    assert unchanging(whole_ms=3.0, one_ms=4.0, batch_size=32) == 3.0
    assert unchanging(whole_ms=3.0, one_ms=3.0, batch_size=1) == 3.0


def test_the_activation_behind_a_batch_normalisation_belongs_to_its_row():
    blocks = PRESETS["tiny"].spec.model.blocks
    model = CnnModel(blocks=blocks, batch_norm=True, dense=(8,), dropout=0.5)
    spec = change(PRESETS["tiny"].spec, model=model.model_dump())
    table = models.layer_table(spec.model, (32, 32, 3), 10)[1:]
    kinds = [type(layer).__name__ for layer in models.build_model(spec, (32, 32, 3), 10).layers[1:]]
    rows = rows_of(kinds, table)
    assert len(kinds) == len(table) + 2
    assert [kinds[number] for number, row in enumerate(rows) if row == 1] == [
        "BatchNormalization",
        "Activation",
    ]


SMALL = {"train_limit": 300, "device": "cpu", "threads": 1}


@pytest.mark.parametrize("engine", ["stock", "fast"])
@pytest.mark.parametrize("name", ["tiny", "dense", "lstm"])
def test_a_real_step_is_its_layers_and_all_else(name, engine):
    spec = change(PRESETS[name].spec, engine=engine, **SMALL)
    found = profile(spec, lambda: False, seconds=0.2)
    assert found.parts_ms == pytest.approx(found.step_ms, rel=0.05)
    assert found.steps >= profiling.LEAST_STEPS
    assert found.threads == 1
    kinds = [layer.kind for layer in found.layers]
    assert kinds[-1] == "Dense"
    assert all(layer.forward_ms > 0 for layer in found.layers)
    learns = [layer for layer in found.layers if layer.kind in ("Conv2D", "Dense", "LSTM")]
    assert all(layer.backward_ms > 0 for layer in learns)
    assert found.layers[0].backward_ms == 0 or found.layers[0].kind == "Conv2D"
    assert min(found.data_ms, found.loss_ms, found.optimizer_ms) > 0


def test_a_profile_is_broken_off_when_it_is_asked_to_stop():
    spec = change(PRESETS["dense"].spec, **SMALL)
    with pytest.raises(Stopped):
        profile(spec, lambda: True, seconds=0.2)
