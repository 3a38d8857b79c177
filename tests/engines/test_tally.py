"""An epoch's sums are those of its batches, whether counted one by one or together."""

import pytest
import torch

from cnnlab.engines.tally import CrossEntropy, Tally

CPU = torch.device("cpu")


def batches(count, batch=8, classes=5):
    """What a network gives before its softmax, and labels."""
    random = torch.Generator().manual_seed(3)
    for _ in range(count):
        logits = torch.randn(batch, classes, generator=random)
        yield logits, torch.randint(0, classes, (batch,), generator=random)


def counted(way, count=5):
    tally = Tally(CPU)
    for logits, labels in batches(count):
        getattr(tally, way)(CrossEntropy().forward(logits, labels))
        tally.images += len(labels)
    return tally.result()


def test_batches_that_were_put_aside_count_as_those_counted_at_once():
    together, one_by_one = counted("put_aside"), counted("count")
    assert together["accuracy"] == one_by_one["accuracy"]
    assert together["loss"] == one_by_one["loss"]
    expected = [torch.nn.functional.cross_entropy(*batch) for batch in batches(5)]
    assert together["loss"] == pytest.approx(float(torch.stack(expected).mean()), rel=1e-5)


@pytest.mark.parametrize("batch", [8, 30, 32, 128])
def test_it_does_not_matter_when_the_sums_are_read(batch):
    """Windows end when their time is over: two runs of one seed must not differ by that."""
    answers = [CrossEntropy().forward(*each) for each in batches(60, batch)]
    answers += [CrossEntropy().forward(*each) for each in batches(1, batch // 2 + 1)]
    found = set()
    for looks in ((), (1, 2), range(0, 60, 7), range(60)):
        tally = Tally(CPU)
        for number, each in enumerate(answers):
            tally.put_aside(each)
            if number in looks:
                tally.result()
        found.add(tally.result()["loss"])
    assert len(found) == 1


def test_no_more_wait_than_there_may(monkeypatch):
    monkeypatch.setattr(Tally, "WAITING", 16)
    tally = Tally(CPU)
    waiting = []
    for logits, labels in batches(5):
        tally.put_aside(CrossEntropy().forward(logits, labels))
        waiting.append(len(tally._waiting))
    assert waiting == [1, 0, 1, 0, 1]
    assert float(tally.total) > 0


def test_what_waits_when_an_epoch_begins_anew_is_of_the_one_before():
    tally = Tally(CPU)
    for logits, labels in batches(2):
        tally.put_aside(CrossEntropy().forward(logits, labels))
    tally.reset()
    assert tally.result() == {"accuracy": 0.0, "loss": 0.0}


def test_the_gradient_is_autograds_and_none_passes_where_a_probability_is_clipped():
    logits = torch.tensor([[1.0, 2.0, 0.5], [40.0, 0.0, 0.0], [0.0, 40.0, 0.0]], requires_grad=True)
    labels, loss = torch.tensor([2, 0, 0]), CrossEntropy()
    answers = loss.forward(logits, labels)
    (expected,) = torch.autograd.grad(loss.summed(answers.right.flatten()) / 3, logits)
    with torch.no_grad():
        found = loss.backward(loss.forward(logits, labels))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)
    assert bool((found[1:] == 0).all())
    assert bool((found[0] != 0).all())
