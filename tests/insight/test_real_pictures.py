"""From real pictures to what is told of them, and to files: trained, kept, opened, and held against
others.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import keras
import numpy as np
from sklearn.metrics import confusion_matrix, recall_score

from cnnlab import learned, training
from cnnlab.analysis import answers as answering
from cnnlab.analysis.answers import Answers
from cnnlab.datasets.lookup import some
from cnnlab.insight import looking
from cnnlab.insight.networks import rebuilt
from cnnlab.insight.questions import Network
from cnnlab.learned import Writer
from cnnlab.spec import ExperimentSpec
from cnnlab.takeaway import SUFFIXES, About
from cnnlab.takeaway.forms import WRITERS
from cnnlab.takeaway.making import TOLERANCE, make_file
from cnnlab.takeaway.order import INPUTS
from tests.insight.by_hand import CNN, grad_cam


def test_what_is_told_of_a_network_that_learnt_real_pictures_holds(cifar10: Path, tmp_path: Path):
    spec = ExperimentSpec(
        dataset=str(cifar10), train_limit=2000, model=CNN, epochs=2, device="cpu", batch_size=64
    )
    keep = partial(Writer, "real")
    training.train(spec, lambda _: None, lambda: False, launched_at=time.monotonic(), keep=keep)
    kept = learned.open_run("real")
    _check_answers(kept)
    _check_network(kept, spec)
    _check_files(kept, spec, tmp_path)


def _check_answers(kept: learned.Learned) -> None:
    """The matrix has every picture once, and each class is as scikit-learn has it."""
    names = kept.facts.class_names
    for part, count in (("validation", 300), ("test", 10_000)):
        found = kept.predictions(part)
        answers = Answers(found.probabilities, found.labels, names, found.indices)
        matrix = answering.confusion(answers)
        assert matrix.sum() == len(answers) == count
        said, numbers = found.probabilities.argmax(axis=1), range(10)
        assert (matrix == confusion_matrix(found.labels, said, labels=numbers)).all()
        recalls = recall_score(found.labels, said, labels=numbers, average=None)
        np.testing.assert_allclose(answering.by_class(answers)["share"], recalls)


def _check_network(kept: learned.Learned, spec: ExperimentSpec) -> None:
    """Rebuilt, it says what was kept; and Grad-CAM is that of a few lines of torch."""
    found = kept.predictions("validation")
    pictures = some(spec, found.indices[:40])
    asked = Network(run_id="real", spec=spec, image_shape=(32, 32, 3), classes=10)
    weights = list(kept.weights("final").values())
    with keras.device("cpu"):
        network = rebuilt(asked, weights)
        shares = looking.foresee(network, pictures)
        np.testing.assert_allclose(shares, found.probabilities[:40], atol=2e-3)
        for picture, target in zip(pictures[:5], found.labels, strict=False):
            heat = looking.look(network, looking.scaled(picture), int(target))["heat"]
            expected = grad_cam(weights, picture, int(target))
            np.testing.assert_allclose(heat, expected, atol=1e-4 * max(expected.max(), 1e-3))


def _check_files(kept: learned.Learned, spec: ExperimentSpec, folder: Path) -> None:
    """Two files of each form answer as one, as those of other forms, and as the run did."""
    found, at = kept.predictions("test"), slice(0, 9_999, 400)
    pictures = some(spec, found.indices[at], "test").astype("f4") / 255
    about = About(
        run_id="real",
        name="Real",
        spec=spec,
        input_shape=(32, 32, 3),
        input=INPUTS["pictures"],
        classes=kept.facts.class_names,
    )
    given = {}
    for form in SUFFIXES:
        for number in range(2):
            path = folder / f"{number}{SUFFIXES[form]}"
            make_file(about, kept.weights("final"), form, path)
            given[form, number] = WRITERS[form].opened(about, path)(pictures)
        np.testing.assert_array_equal(given[form, 0], given[form, 1])
        np.testing.assert_allclose(given[form, 0], given["keras", 0], atol=TOLERANCE)
    np.testing.assert_allclose(given["keras", 0], found.probabilities[at], atol=2e-3)
