"""Runs out of the lab and into it, as files."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnlab import learned, words
from cnnlab.report.cards import to_json
from cnnlab.report.markdown import markdown, zipped
from cnnlab.report.page import html
from cnnlab.report.parquet import to_parquet
from cnnlab.report.tables import steps_csv, to_csv
from cnnlab.spec import LabError, RunCard
from cnnlab.ui import keeping, lab, live, rights, tables
from cnnlab.ui.compare import choice as compare_choice
from cnnlab.ui.lab import history
from cnnlab.ui.run import taking

UPLOADED, ROUND, REFUSED = "compare.uploaded", "compare.round", "compare.refused"


def export(cards: Sequence[RunCard], origins: Mapping[str, str]) -> None:
    """Buttons that hand the runs out; a file is written when its button is pressed.

    Args:
        origins: by run id, the file that a run was brought in from.
    """
    ids = [card.run_id for card in cards]
    stem = f"run-{ids[0]}" if len(ids) == 1 else f"{len(ids)}-runs"

    def whole() -> list[RunCard]:
        return [history().card(run_id) for run_id in ids]

    st.subheader("Take along", anchor=False)
    with st.container(horizontal=True):
        _button(
            "Report (HTML)",
            lambda: html(whole(), origins),
            f"{stem}.html",
            ":material/article:",
            "One page with the verdict, the curves and every figure; it needs no network.",
        )
        _button(
            "Run cards (JSON)",
            lambda: to_json(whole()),
            f"{stem}.json",
            ":material/data_object:",
            "Everything known about the runs, steps included; another CNN Lab reads it.",
        )
        _button("Epochs (CSV)", lambda: to_csv(cards), f"{stem}.csv", ":material/table:")
        with st.popover("More", icon=":material/more_horiz:"):
            _button("Steps (CSV)", lambda: steps_csv(whole()), f"{stem}-steps.csv")
            _button(
                "Run cards (Parquet)",
                lambda: to_parquet(whole()),
                f"{stem}.parquet",
                help_="As the JSON, smaller; pandas reads its curves, another CNN Lab all of it.",
            )
            _button(
                "Report (Markdown)",
                lambda: zipped(*markdown(whole(), origins, stem=stem), stem),
                f"{stem}.zip",
                help_="With its charts as SVG files beside it, for a README or a pull request.",
            )
        known = {card.run_id: card for card in cards if card.dataset}
        if known:
            with st.popover("Keras script", icon=":material/code:"):
                _script(known, dict(zip(ids, tables.labels(cards), strict=True)))


def _button(
    label: str,
    write: Callable[[], str | bytes],
    file_name: str,
    icon: str | None = None,
    help_: str | None = None,
) -> None:
    st.download_button(
        label,
        data=write,
        file_name=file_name,
        mime=mimetypes.guess_type(file_name)[0] or "application/octet-stream",
        icon=icon,
        on_click="ignore",
        help=help_,
    )


def _script(cards: Mapping[str, RunCard], names: Mapping[str, str]) -> None:
    chosen = st.selectbox(
        "Of the run", options=list(cards), format_func=names.__getitem__, key="compare.script"
    )
    card = cards[chosen]
    assert card.dataset
    taking.code(card, card.dataset)


def bring_in() -> None:
    """Let the reader bring in run cards from other labs, and what the runs have learnt; they are
    chosen at once."""
    # Each round has an uploader of its own, an empty one: else what was refused would lie there as
    # if it had been taken, and come along with the next file.
    number = st.session_state.get(ROUND, 0)
    with st.expander("Bring in runs from a file", icon=":material/upload_file:"):
        st.file_uploader(
            "Run cards, as “Take along” or the command line writes them",
            type=["json", "parquet", "zip"],
            accept_multiple_files=True,
            key=_key(number),
            on_change=_read_files,
            args=(number,),
            **rights.limits(),
        )
        for said in st.session_state.get(REFUSED, []):
            st.error(tables.plain(said), icon=":material/error:")
        st.caption(
            "They keep the name of their file, to be told from runs made here. What they have "
            f"learnt, a file NAME{learned.ENDING}, is taken in with them, or later."
        )


def _key(number: int) -> str:
    return f"{UPLOADED}-{number}"


def _read_files(number: int) -> None:
    """Take in what an uploader was given, once: a browser that has not yet heard that its uploader
    is gone sends the files again."""
    files = live.said(_key(number))
    if files is None or number != st.session_state.get(ROUND, 0):
        return
    refused: list[str] = []
    packed = [file for file in files if _is_packed(file)]
    cards = [file for file in files if not _is_packed(file)]
    ids = _cards_in(cards, refused)
    taken = _learned_in(packed, ids, refused)  # of runs that are here by now
    st.session_state[REFUSED] = refused
    st.session_state[ROUND] = number + 1
    if ids:
        compare_choice.put(list(dict.fromkeys([*compare_choice.asked(), *ids.values()])))
        _toast(f"{_runs(len(ids))} {'is' if len(ids) == 1 else 'are'} here and chosen.")
    if taken:
        _toast(f"What {_runs(taken)} learned is here.")


def _cards_in(files: Sequence[UploadedFile], refused: list[str]) -> dict[str, str]:
    """Take in run cards; the ids of the runs, in their files and here. What is refused is added."""
    ids: dict[str, str] = {}
    for file in files:
        try:
            ids |= lab.bring_in(file.getvalue(), file.name)
        except LabError as error:
            refused.append(f"{file.name}: {error}")
    return ids


def _learned_in(files: Sequence[UploadedFile], ids: Mapping[str, str], refused: list[str]) -> int:
    """Take in what runs have learnt; of how many. What is refused is added."""
    taken = 0
    for file in files:
        try:
            taken += keeping.bring_in_learned(file, file.name, ids)
        except LabError as error:
            refused.append(str(error))
    return taken


def _is_packed(file: UploadedFile) -> bool:
    return file.name.lower().endswith(".zip")


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{words.count(count)} runs"


def _toast(said: str) -> None:
    st.toast(said, icon=":material/check_circle:")
