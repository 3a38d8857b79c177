"""What keeping costs is held against an epoch of the preset's own length."""

import pytest

from bench import keeping
from bench.peers.contenders import Contender, running
from bench.peers.works import WORKS, Work, draw


@pytest.mark.parametrize(
    ("longer_ms", "said"),
    [([5.0] * 40, "kept"), ([15.0] * 40, "broken"), ([-40.0, 60.0] * 20, "not told apart")],
)
def test_the_budget_is_held_against_the_interval(longer_ms, said):
    assert keeping.note("dense", longer_ms, 1_000.0).endswith(f"(budget 1%: {said}).")


def test_an_epoch_has_as_many_steps_as_the_presets():
    assert keeping.whole_steps(WORKS["article"]) == 1_329


def test_both_arms_train_in_one_process_and_one_keeps(tmp_path):
    work = Work("dense", "dense", 3, {})
    draw(work, tmp_path / "work.npz")
    contender = Contender("keeping", "bench.peers.kept")
    with running(contender, work, tmp_path / "work.npz", "cpu") as epoch:
        assert epoch(kept=True) > 0
        assert epoch(kept=False) > 0
    kept = tmp_path / "home" / "learned" / "bench"
    assert len(list((kept / "film").iterdir())) == 2  # the one that warms up keeps as well
    megabytes = 4 * 266_610 / 1e6
    assert keeping.mean_frame_mb(tmp_path / "home") == pytest.approx(megabytes, rel=0.01)
    assert keeping.film_note(megabytes) == "A film of 20 epochs takes 21 MB on the disk."
