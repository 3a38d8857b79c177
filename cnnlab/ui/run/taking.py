"""A run to take along: the network that it learnt as a file, and the code that trains it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cnnlab import learned, takeaway, words
from cnnlab.report.notebook import colab_link, notebook
from cnnlab.report.script import KERAS_SETS, keras_script
from cnnlab.spec import DatasetFacts, LabError, RunCard
from cnnlab.takeaway import Form
from cnnlab.ui import rights, tables
from cnnlab.ui.run import gate

MADE = "taking.made"
"""In the session: of which run the last file is, its form, its name, and its bytes."""
LABELS: dict[Form, str] = {
    "keras": "Keras",
    "onnx": "ONNX",
    "torch": "PyTorch",
    "safetensors": "Weights",
}
HOW: dict[Form, str] = {
    "keras": "model = keras.saving.load_model({name})\nanswers = model.predict(pictures / 255)",
    "onnx": "session = onnxruntime.InferenceSession({name})\n"
    "name = session.get_inputs()[0].name\n"
    'answers = session.run(None, {{name: (pictures / 255).astype("float32")}})[0]',
    "torch": "model = torch.export.load({name}).module()\n"
    "answers = model(torch.from_numpy(pictures / 255).float())",
    "safetensors": "model = build_model()  # as the script has it\n"
    "weights = safetensors.numpy.load_file({name})\n"
    "model.set_weights([weights[key] for key in sorted(weights)])",
}
"""What opens a file, in Python."""


def show(card: RunCard) -> None:
    """All that can be taken along of a run that is over, behind a button."""
    if card.dataset is None:
        return
    with st.popover("Take it along", icon=":material/download:"):
        _network(card)
        code(card, card.dataset)


# --- the network ----------------------------------------------------------------------------


def _network(card: RunCard) -> None:
    st.markdown("**The network that it learnt**")
    if not learned.kept(card.run_id):
        st.caption("Its weights were not kept, or had to make room: train it again to have them.")
        return
    st.caption("Each file is opened again, and must answer as the network does, to 0.0001.")
    try:
        weights = _weights(card)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    with st.container(horizontal=True):
        for form, label in LABELS.items():
            key = f"take-{form}-{card.run_id}"
            help_ = f"A {takeaway.SUFFIXES[form]} file, in float32"
            if st.button(label, key=key, **rights.limits(help=help_)):
                _make(card, form, weights)
    _made(card)


def _weights(card: RunCard) -> learned.At:
    """Those of the end, or of the best epoch, if that was another one.

    Raises:
        LabError: what is kept cannot be read.
    """
    kept = learned.open_run(card.run_id)
    end, last = kept.end, card.epochs[-1].epoch if card.epochs else None
    if end and end != last:
        st.caption(f"The last weights that were kept are those after epoch {end}.")
    if kept.best in (None, end):
        return "final"
    at: dict[learned.At, str] = {
        "final": f"{'Of its end' if end == last else 'The last'}, epoch {end}",
        "best": f"Of its best epoch, {kept.best}",
    }
    return st.segmented_control(
        "Weights",
        list(at),
        default="final",
        required=True,
        format_func=at.__getitem__,
        key=f"take-weights-{card.run_id}",
    )


def _make(card: RunCard, form: Form, weights: learned.At) -> None:
    try:
        with st.spinner(f"Making the {LABELS[form]} file and asking it …"):
            name, data = gate.make_file(card.run_id, form, weights)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    st.session_state[MADE] = (card.run_id, form, name, data)


def _made(card: RunCard) -> None:
    """The last file that was made of this run, and how it is opened."""
    run_id, form, name, data = st.session_state.get(MADE, (None, None, None, None))
    if run_id != card.run_id:
        return
    st.download_button(
        f"Download {name} ({words.size(len(data))})",
        data=data,
        file_name=name,
        mime="application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
        type="primary",
        key=f"taken-{run_id}",
    )
    how = HOW[form].format(name=f'"{name}"')
    if card.dataset and card.dataset.kind == "series":
        how = how.replace("pictures / 255", "sequences")
    st.code(how, language="python", wrap_lines=True)


# --- the code -------------------------------------------------------------------------------


def code(card: RunCard, facts: DatasetFacts) -> None:
    """The script and the notebook that train a run with Keras alone.

    Args:
        facts: the data that it read.
    """
    run_id, data_file = card.run_id, f"run-{card.run_id}-data.npz"
    st.markdown("**The code that trains it**")
    st.caption("The same experiment in plain Keras, without CNN Lab.")
    if card.spec.dataset not in KERAS_SETS:
        st.caption("Keras does not load its data; the command line writes them beside it:")
        command = f"python -m cnnlab runs export {run_id} --format notebook -o run-{run_id}.ipynb"
        st.code(command, language="bash", wrap_lines=True)
    with st.container(horizontal=True):
        _code_button(
            "Script",
            lambda: keras_script(
                card.spec,
                facts.image_shape,
                facts.classes,
                title=f"{card.name} (run {run_id})",
                data_file=data_file,
                kind=facts.kind,
            ).encode(),
            f"run-{run_id}.py",
        )
        _code_button("Notebook", lambda: notebook(card, facts, data_file), f"run-{run_id}.ipynb")
    _colab(run_id)


def _code_button(label: str, write: Callable[[], bytes], file_name: str) -> None:
    st.download_button(
        label,
        data=write,
        file_name=file_name,
        mime="text/plain",
        icon=":material/code:",
        on_click="ignore",
    )


def _colab(run_id: str) -> None:
    """Where the notebook lies on GitHub, as a link that opens it in Colab."""
    address = st.text_input(
        "Once it lies on GitHub or in a gist, its address opens it in Colab",
        placeholder="https://github.com/OWNER/REPOSITORY/blob/BRANCH/NAME.ipynb",
        key=f"colab-{run_id}",
    )
    if not address:
        return
    try:
        st.link_button("Open in Colab", colab_link(address), icon=":material/open_in_new:")
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
