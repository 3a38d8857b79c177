"""The pages that benches open show every run, whichever arm opens them."""

import pytest

from bench import compare, history
from bench.opening import lab_with, opened

RUNS = 4


@pytest.fixture
def run_ids():
    with lab_with([history.card(number) for number in range(RUNS)]) as found:
        yield found


def test_the_history_opens_with_every_run(run_ids):
    for remember in (True, False):
        visit = history.Visit(RUNS, remember=remember)
        assert visit() > 0
        assert len(visit.cpu_seconds) == 1


def test_the_comparison_opens_with_every_run(run_ids):
    for one_by_one in (True, False):
        visit = compare.Visit(run_ids, one_by_one=one_by_one)
        assert visit() > 0
        assert visit.bytes > 1000


def test_a_page_that_shows_another_number_of_runs_is_no_measurement(run_ids):
    with pytest.raises(RuntimeError, match="every run"):
        opened("history", lambda page: page(), RUNS + 1)
