"""The Data page: what is here, what it looks like, what it needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.spec import PRESETS, SpecError, change
from cnnlab.ui import lab, link
from cnnlab.ui.data import view as data_view
from tests.quiet_lab import figures, leads, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")


@pytest.fixture
def own(home: Path) -> str:
    """A data set of the owner's: 6 grey pictures of 4 x 5 pixels in 2 classes."""
    (home / "datasets").mkdir(parents=True)
    images = np.arange(120, dtype=np.uint8).reshape(6, 4, 5)
    labels = np.array([0, 1, 0, 1, 0, 1])
    np.savez(home / "datasets" / "mine.npz", x_train=images, y_train=labels)
    return "mine.npz"


def test_the_first_data_set_is_synthetic_and_says_so() -> None:
    app = page("data")
    assert "**Synthetic**" in said(app, "caption")
    assert figures(app)["Classes"] == "10"
    assert len(app.get("image")) == 10


def test_every_data_set_known_here_can_be_chosen(own: str) -> None:
    options = page("data").get("button_group")[0].options
    assert len(options) == len(datasets.REGISTRY) + 1
    assert options[-1].endswith("mine.npz")


def test_a_data_set_that_is_not_ready_says_what_it_needs_and_how() -> None:
    app = page("data", dataset="cifar100")
    assert "downloads 169 MB once" in said(app, "warning")
    assert app.code[0].value == "python -m cnnlab datasets fetch cifar100"
    assert not app.get("image")


def test_an_own_data_set_shows_its_pictures_once_it_is_prepared(own: str) -> None:
    assert "appear here once it is prepared" in said(page("data", dataset=own), "caption")
    datasets.fetch(own)
    app = page("data", dataset=own)
    assert leads(app)["pictures to train on"] == "6"
    assert figures(app)["Height × width × channels"] == "4 × 5 × 1"
    assert len(app.get("image")) == 2


def test_waves_are_drawn_as_lines_with_their_words() -> None:
    app = page("data", dataset="waves")
    assert leads(app)["sequences to train on"] == "18,000"
    assert figures(app)["Steps × features"] == "128 × 3"
    assert "Results say nothing about measurements" in said(app, "caption")
    drawings = app.get("vega_lite_chart")
    assert len(drawings) == 6
    says = drawings[1].proto.alt
    assert says.startswith("Line chart of 3 sequences of the class 1 then 3 then 2")


def test_a_csv_file_is_offered_and_drawn_once_it_is_prepared(home: Path) -> None:
    (home / "datasets").mkdir(parents=True)
    lines = [f"{place},{place * place % 17},{place % 5}" for place in range(80)]
    (home / "datasets" / "week.csv").write_text("\n".join(["time,a,b", *lines]))
    app = page("data", dataset="week.csv")
    assert "Its sequences appear here once it is prepared" in said(app, "caption")
    assert app.code[0].value == "python -m cnnlab datasets fetch week.csv"
    datasets.fetch("week.csv")
    app = page("data", dataset="week.csv")
    assert figures(app)["Steps × features"] == "32 × 2"
    assert len(app.get("vega_lite_chart")) == 3
    target = app.get("page_link")[0].proto
    assert "preset=lstm" in target.query_string


def test_a_data_set_that_is_gone_gives_way_to_the_first() -> None:
    assert "**Synthetic**" in said(page("data", dataset="nowhere"), "caption")


def test_a_run_on_the_chosen_data_set_is_one_link_away() -> None:
    target = page("data", dataset="mnist").get("page_link")[0].proto
    parameters = dict(part.split("=") for part in target.query_string.split("&"))
    assert link.decode(parameters).dataset == "mnist"


def test_the_owner_reads_where_own_pictures_go(home: Path) -> None:
    assert str(home / "datasets") in [item.value for item in page("data").code]


def test_a_sheet_enlarges_by_whole_pixels_and_keeps_the_colours() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    sheet = data_view.sheet(pictures)
    factor = data_view.SHOWN_PIXELS // 5
    gap = 2 * factor
    assert sheet.shape == (4 * factor, (3 * 5 + 2 * gap) * factor, 4)
    corner = sheet[:factor, :factor, :3].reshape(-1, 3)
    assert (corner == pictures[0, 0, 0]).all()
    assert (sheet[:, 5 * factor : (5 + gap) * factor, 3] == 0).all()


def test_a_grey_sheet_is_grey() -> None:
    sheet = data_view.sheet(np.full((1, 2, 2, 1), 77, dtype=np.uint8))
    assert (sheet[..., :3] == 77).all()


def test_a_page_chooses_among_the_columns_of_a_listed_file_and_opens_no_other(
    home: Path, tmp_path: Path
) -> None:
    (home / "datasets").mkdir(parents=True)
    text = "\n".join(["time,a,b", *(f"{place},{place * 7 % 11},2" for place in range(80))])
    (home / "datasets" / "week.csv").write_text(text)
    (tmp_path / "other.csv").write_text(text)
    base = change(PRESETS["tiny"].spec, model=link.FRESH["rnn"].model_dump(mode="json"))
    datasets.fetch("week.csv?values=a&window=8")
    assert lab.check(change(base, dataset="week.csv?values=a&window=8"))
    for hidden in (f"{tmp_path}/other.csv?window=8", "../../other.csv?window=8"):
        with pytest.raises(SpecError, match="only the data sets listed"):
            lab.check(change(base, dataset=hidden))
