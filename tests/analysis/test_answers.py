"""What is told of answers: held against scikit-learn, and against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from cnnlab.analysis import answers as answering
from cnnlab.analysis import disagreement as disagreeing
from cnnlab.analysis import sureness
from cnnlab.analysis.answers import Answers
from cnnlab.spec import LabError


def given(count: int = 400, classes: int = 7, seed: int = 0, skill: float = 1.0) -> Answers:
    """Answers that are right more often than not, as a network keeps them: float16."""
    rng = np.random.default_rng(seed)
    labels = np.random.default_rng(1).integers(0, classes, count)
    logits = rng.normal(size=(count, classes)) + skill * np.eye(classes)[labels]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = tuple(f"class {number}" for number in range(classes))
    return Answers(shares.astype(np.float16), labels, names, np.arange(count) + 100)


def of(shares: list[list[float]], labels: list[int]) -> Answers:
    names = tuple("abc"[: len(shares[0])])
    return Answers(np.array(shares), np.array(labels), names, np.arange(len(labels)))


@pytest.mark.parametrize("classes", [2, 7, 100])
def test_each_class_and_the_matrix_are_those_of_scikit_learn(classes: int):
    answers = given(classes=classes)
    matrix = answering.confusion(answers)
    assert matrix.sum() == len(answers) == 400
    numbers = list(range(classes))
    assert (matrix == confusion_matrix(answers.labels, answers.said, labels=numbers)).all()
    _, recall, _, support = precision_recall_fscore_support(
        answers.labels, answers.said, labels=numbers, zero_division=np.nan
    )
    table = answering.by_class(answers)
    assert table["share"].to_numpy() == pytest.approx(recall, nan_ok=True)
    assert (table["pictures"].to_numpy() == support).all()


def test_a_class_without_a_picture_has_no_share_and_is_not_the_weakest():
    table = answering.by_class(of([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]], [0, 0]))
    assert np.isnan(table["share"][2])
    assert answering.weakest_first(table) == [0]


def test_the_interval_of_a_class_is_that_of_its_own_pictures():
    table = answering.by_class(of([[0.9, 0.1]] * 10 + [[0.1, 0.9]], [0] * 10 + [1]))
    low = binomtest(10, 10).proportion_ci(method="wilson").low
    assert table["low"][0] == pytest.approx(low)
    assert table["high"][0] == pytest.approx(1)


def test_classes_that_are_taken_for_each_other_stand_side_by_side():
    matrix = np.diag([50] * 6)
    matrix[0, 4] = matrix[4, 0] = 9
    matrix[2, 5] = 7
    order = answering.alike(matrix)
    assert sorted(order) == list(range(6))
    assert abs(order.index(0) - order.index(4)) == 1
    assert abs(order.index(2) - order.index(5)) == 1
    assert set(answering.most_confused(matrix, 4)) == {0, 2, 4, 5}


def test_the_most_frequent_mistakes_are_named_and_what_is_right_is_none():
    matrix = np.array([[90, 3, 0], [7, 50, 0], [0, 0, 9]])
    assert answering.frequent(matrix, 5) == [(1, 0), (0, 1)]
    assert answering.frequent(matrix, 1) == [(1, 0)]


def test_the_cells_of_some_classes_keep_their_shares_of_all():
    answers = given()
    matrix = answering.confusion(answers)
    frame = answering.confusion_frame(matrix, answers.names, [3, 1])
    assert len(frame) == 4
    cell = frame[(frame["truth"] == 3) & (frame["said"] == 1)].iloc[0]
    assert (cell["row"], cell["column"]) == (0, 1)
    assert cell["share"] == pytest.approx(matrix[3, 1] / matrix[3].sum())
    assert len(answering.in_cell(answers, 3, 1)) == cell["count"]


def test_the_surest_mistake_comes_first_and_so_does_the_closest_call():
    answers = of([[0.9, 0.1], [0.2, 0.8], [0.55, 0.45], [0.05, 0.95]], [0, 0, 0, 0])
    assert answering.notable(answers, "worst", 5).tolist() == [3, 1]
    assert answering.notable(answers, "least sure", 2).tolist() == [2, 1]


# --- sureness -------------------------------------------------------------------------------


def test_the_calibration_error_is_the_sum_done_by_hand():
    answers = of([[0.95, 0.05]] * 4 + [[0.65, 0.35]] * 4, [0, 0, 0, 1, 0, 1, 1, 1])
    table = sureness.reliability(answers)
    assert table["pictures"].tolist() == [4, 4]
    assert table["share"].tolist() == [0.25, 0.75]
    assert sureness.calibration_error(table) == pytest.approx(0.5 * 0.4 + 0.5 * 0.2)
    assert "too sure" in sureness.sureness_said(answers)


def test_every_picture_is_in_a_tenth_even_one_that_is_quite_sure():
    answers = given()
    sure = of([[1.0, 0.0]], [0])
    assert sureness.reliability(answers)["pictures"].sum() == len(answers)
    assert sureness.reliability(sure)["to"].tolist() == [1.0]


# --- two networks ---------------------------------------------------------------------------


def test_two_networks_are_held_against_each_other_on_the_pictures_that_both_saw():
    first, second = given(seed=2), given(seed=3, skill=2.0)
    part = disagreeing.at(second, np.arange(150, 390))
    one, other = disagreeing.paired(first, part)
    assert (one.numbers == other.numbers).all()
    assert len(one) == 240
    apart = disagreeing.disagreement(one, other)
    sizes = [len(x) for x in (apart.both, apart.first_only, apart.second_only, apart.neither)]
    assert sum(sizes) == 240
    assert one.right[apart.first_only].all()
    assert not other.right[apart.first_only].any()
    assert sizes[0] + sizes[1] == one.right.sum()
    assert apart.chance == pytest.approx(binomtest(sizes[1], sizes[1] + sizes[2]).pvalue)


def test_answers_to_other_pictures_are_not_held_against_each_other():
    first, second = given(), given()
    moved = Answers(second.probabilities, second.labels, second.names, second.numbers + 1000)
    with pytest.raises(LabError, match="different pictures"):
        disagreeing.paired(first, moved)
    other = Answers(second.probabilities, second.labels[::-1], second.names, second.numbers)
    with pytest.raises(LabError, match="different pictures"):
        disagreeing.paired(first, other)
