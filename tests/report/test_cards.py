"""Run cards as files: what goes out comes back, and what is no card stays out."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import re
from pathlib import Path

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.history import History, queries
from cnnlab.report.cards import LARGEST_BYTES, SCHEMA_FILE, json_schema, read, read_file, to_json
from cnnlab.report.parquet import SCHEMA, to_parquet
from cnnlab.report.tables import steps_csv, to_csv
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Disturbances,
    Energy,
    Epoch,
    LabError,
    Machine,
    Memory,
    ModelFacts,
    Part,
    Place,
    RunCard,
    Status,
    Steps,
    Timing,
    change,
)
from tests.example_runs import CARD, CPU, add_run

WRITERS = {"json": lambda cards: to_json(cards).encode(), "parquet": to_parquet}

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
some = text.filter(bool)
count = st.integers(0, 2**31)
whole = st.integers(-(2**63) + 1, 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | whole | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
known = st.none() | st.floats()


def records(kind, values=known, **fields):
    """Records whose other fields all take `values`, or are left out."""
    names = [name for name in kind.model_fields if name not in fields]
    return st.builds(
        lambda found, rest: kind(**found, **rest),
        st.fixed_dictionaries({}, optional=dict.fromkeys(names, values)),
        st.fixed_dictionaries(fields),
    )


@st.composite
def steps(draw):
    count = draw(st.integers(0, 4))

    def column(kind):
        return st.lists(kind, min_size=count, max_size=count)

    known_at_ends = {name: column(known) for name in ("seconds", "loss", "accuracy")}
    return draw(
        st.builds(
            Steps,
            step=column(whole),
            epoch=column(whole),
            ms=column(st.floats()),
            **known_at_ends,
        )
    )


SPECS = st.sampled_from([preset.spec for preset in PRESETS.values()]).flatmap(
    lambda spec: st.builds(
        lambda dataset, seed, rate: change(spec, dataset=dataset, seed=seed, learning_rate=rate),
        text.filter(bool),
        st.integers(0, 2**32 - 1),
        st.floats(0, 10, exclude_min=True),
    )
)
FIGURES = {name: st.floats() for name in Epoch.model_fields if name != "epoch"}
CARDS = st.builds(
    RunCard,
    run_id=text,
    name=text,
    session=text,
    status=st.sampled_from(Status),
    error=st.none() | text,
    note=text,
    created_at=text,
    spec=SPECS,
    model=st.none()
    | st.builds(ModelFacts, parameters=whole, flops_per_image=whole, weights_sha256=st.none()),
    dataset=st.none()
    | st.builds(
        DatasetFacts,
        name=text,
        train_images=whole,
        validation_images=whole,
        classes=whole,
        image_shape=st.lists(whole, max_size=3).map(tuple),
        synthetic=st.booleans(),
    ),
    device=st.none() | st.builds(DeviceFacts, requested=text, used=text, name=text),
    machine=st.none() | st.builds(Machine, name=text, node=text),
    sweep=st.none()
    | st.builds(Place, sweep_id=some, sweep=text, cell=count, values=st.just({"batch_size": 8})),
    part=st.none() | st.builds(Part, group_id=some, group=some, turn=count, lane_title=text),
    environment=st.dictionaries(text, plain, max_size=4),
    timing=records(
        Timing,
        matmul_peak_arithmetic=st.none() | text,
        peak_operation=st.none() | text,
        resumed_after=st.lists(whole, max_size=2).map(tuple),
    ),
    memory=records(Memory),
    energy=records(Energy, source=text, scope=st.sampled_from([None, "package", "card"])),
    disturbances=st.none()
    | records(
        Disturbances,
        seconds=finite,
        cores=whole,
        other_load_mean=st.none() | finite,
        other_load_peak=st.none() | finite,
        other_load_share=st.none() | finite,
        stolen_mean=st.none() | finite,
        throttled=st.none() | st.booleans(),
        paused_seconds=finite,
        own_cost_seconds=finite,
        marks=st.lists(text, max_size=2).map(tuple),
        notes=st.lists(text, max_size=2).map(tuple),
    ),
    epochs=st.lists(st.builds(Epoch, epoch=whole, **FIGURES), max_size=3),
    steps=steps(),
)


def written(card: RunCard) -> str:
    """A card so that NaN equals NaN."""
    return card.model_dump_json(by_alias=True)


@pytest.mark.parametrize("kind", WRITERS)
@settings(deadline=None, max_examples=60)
@given(cards=st.lists(CARDS, min_size=1, max_size=3))
def test_what_is_exported_and_imported_is_an_equal_run(kind, cards):
    assert list(map(written, read(WRITERS[kind](cards)))) == list(map(written, cards))


@settings(deadline=None, max_examples=40)
@given(card=CARDS)
def test_every_card_is_as_the_published_schema_says(card):
    jsonschema.Draft202012Validator(json.loads(json_schema())).validate(json.loads(written(card)))


def test_the_published_schema_is_current():
    cure = "write json_schema() into SCHEMA_FILE, both of cnnlab.report.cards"
    assert SCHEMA_FILE.read_text(encoding="utf-8") == json_schema(), cure


@pytest.fixture
def card(home: Path) -> RunCard:
    history = History()
    return history.card(add_run(history, name="Ünïcode ✓", device=CARD))


@pytest.fixture
def data(card: RunCard) -> dict:
    return json.loads(to_json([card]))


@pytest.mark.parametrize(
    ("change_", "where"),
    [
        (lambda data: data.pop("schema"), "schema"),
        (lambda data: data.update(colour="blue"), "colour"),
        (lambda data: data["timing"].update(fit_seconds="soon"), "soon"),
        (lambda data: data["epochs"][0].update(loss="NaN()"), "NaN()"),
        (lambda data: data["spec"]["model"].update(family="llm"), "llm"),
    ],
)
def test_the_schema_and_the_import_refuse_the_same_mistakes(data, change_, where):
    schema = jsonschema.Draft202012Validator(json.loads(json_schema()))
    schema.validate(data)
    change_(data)
    assert not schema.is_valid(data)
    with pytest.raises(LabError):
        read(json.dumps(data).encode())


def test_one_run_is_an_object_and_many_are_a_list(card):
    assert isinstance(json.loads(to_json([card])), dict)
    assert len(json.loads(to_json([card, card]))) == 2
    assert read(to_json([card, card]).encode()) == [card, card]


def test_a_byte_order_mark_is_no_mistake(card):
    assert read(b"\xef\xbb\xbf" + to_json([card]).encode()) == [card]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{\x00}", "not JSON in UTF-8"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[]", "holds no run"),
        (b"3", "Run card 1 is of the schema 'None'"),
        (b'{"schema": "cnnlab.run/2"}', "'cnnlab.run/2', but this lab reads 'cnnlab.run/1'"),
        (b'{"schema": ["cnnlab.run/1"]}', "is of the schema"),
        (b'{"schema": "cnnlab.run/1"}', "run_id is missing"),
        (b'{"schema": 1, "schema": 2}', "a field stands in it twice"),
        (b'{"schema": "cnnlab.run/1", "x": NaN}', "NaN stands in it as a number"),
        (b'{"schema": "cnnlab.run/1", "x": -Infinity}', "-Infinity stands in it as a number"),
        (b'{"x": ' + b"9" * 5000 + b"}", "more than 64 bits"),
        (b"PAR1", "Parquet file is damaged"),
        (b"PAR1" + b"\x00" * 500 + b"PAR1", "Parquet file is damaged"),
        (b"PK\x03\x04\xff", "not JSON"),
    ],
)
def test_what_is_no_run_card_is_refused_in_a_sentence(data, complaint):
    with pytest.raises(LabError, match=re.escape(complaint)) as caught:
        read(data)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 400


def deep(levels: int) -> list:
    found: list = []
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        ("steps", {"step": [1, 2], "epoch": [1], "ms": [1.0]}, "unequal length"),
        ("environment", {"cpu": "\ud83d"}, "cannot be kept"),
        ("name", "half \ud83d", "cannot be kept"),
        ("environment", {"deep": deep(600)}, "cannot be kept"),
        ("epochs", None, "epochs is null"),
        ("epochs", [{"epoch": 1}], "epochs.0.loss is missing"),
        ("status", "done", 'status is "done"'),
        ("spec", {}, "spec"),
        ("timing", {"fit_seconds": [1]}, "timing.fit_seconds"),
        ("colour", "blue", "colour"),
    ],
)
def test_a_card_that_holds_nonsense_is_refused_and_the_place_named(data, place, value, complaint):
    text = json.dumps([data, {**data, place: value}])
    with pytest.raises(LabError, match=re.escape(complaint)) as caught:
        read(text.encode())
    assert "card 2" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_too_large_is_refused_before_it_is_read_whole(tmp_path):
    file = tmp_path / "huge.json"
    with file.open("wb") as opened:
        opened.truncate(LARGEST_BYTES * 20)
    with pytest.raises(LabError, match=re.escape("huge.json is refused: The file is larger than")):
        read_file(file)


def test_a_file_of_too_many_values_is_refused_before_one_is_read(monkeypatch):
    monkeypatch.setattr("cnnlab.report.cards._loaded", lambda text: pytest.fail("it was read"))
    with pytest.raises(LabError, match="more than 5,000,000 values"):
        read(b"[" + b"[]," * 5_000_001 + b"[]]")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, None])
def test_what_is_no_file_is_refused(tmp_path, make):
    path = tmp_path / "cards"
    if make:
        make(path)
    with pytest.raises(LabError, match=r"cards (is no file|cannot be read)"):
        read_file(path)


# --- Parquet --------------------------------------------------------------------------------


def test_a_parquet_file_holds_curves_that_other_tools_read(card):
    table = pq.read_table(io.BytesIO(to_parquet([card])))
    (run,) = table.to_pylist()
    assert [row["val_accuracy"] for row in run["epochs"]] == [e.val_accuracy for e in card.epochs]
    assert tuple(run["steps"]["ms"]) == card.steps.ms
    assert json.loads(run["spec"]) == card.spec.model_dump(mode="json")


def test_a_parquet_file_has_a_column_for_all_that_a_card_holds():
    fields = RunCard.model_fields.items()
    assert set(SCHEMA.names) == {field.alias or name for name, field in fields}


def packed(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def test_a_parquet_file_of_something_else_is_refused():
    with pytest.raises(LabError, match="not the columns of run cards"):
        read(packed(pa.table({"a": [1]})))


def test_a_parquet_file_that_unpacks_to_too_much_is_refused_unread(card):
    row = pq.read_table(io.BytesIO(to_parquet([card]))).to_pylist()[0]
    many = row | {"steps": row["steps"] | {"ms": [None] * 5_000_000, "loss": [None] * 16_000_000}}
    data = packed(pa.Table.from_pylist([many], SCHEMA))
    assert len(data) < LARGEST_BYTES
    with pytest.raises(LabError, match="unpacks to too much"):
        read(data)


def test_a_parquet_record_that_is_no_json_is_refused(card):
    row = pq.read_table(io.BytesIO(to_parquet([card]))).to_pylist()[0]
    for bad in ("{", '{"family": NaN}', "[" * 50_000):
        with pytest.raises(LabError, match="is not JSON"):
            read(packed(pa.Table.from_pylist([row | {"spec": bad}], SCHEMA)))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damage_anywhere_is_refused_or_harmless(draw):
    """Bytes are changed, cut off or repeated in files of either kind."""
    kind = draw.draw(st.sampled_from(list(WRITERS)))
    good = WRITERS[kind]([EXAMPLE])
    place = draw.draw(st.integers(0, len(good) - 1))
    noise = draw.draw(st.binary(max_size=8))
    bad = good[:place] + noise + good[place + draw.draw(st.integers(0, 40)) :]
    with contextlib.suppress(LabError):
        assert all(isinstance(card, RunCard) for card in read(bad))


EXAMPLE = RunCard(
    run_id="a",
    name="b",
    session="c",
    status=Status.FINISHED,
    created_at="2026-01-01T00:00:00Z",
    spec=PRESETS["tiny"].spec,
    steps=Steps(step=(1,), epoch=(1,), seconds=(0.1,), ms=(3.0,), loss=(4.0,), accuracy=(0.1,)),
)


# --- CSV ------------------------------------------------------------------------------------


def test_epochs_and_steps_are_rows_of_tables(home):
    history = History()
    found = [history.card(add_run(history, name=d.name, device=d, epochs=3)) for d in (CPU, CARD)]
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"] * 2
    assert float(rows[2]["val_accuracy"]) == found[0].epochs[2].val_accuracy
    rows = list(csv.DictReader(io.StringIO(steps_csv(found))))
    assert [float(row["ms"]) for row in rows] == [ms for card in found for ms in card.steps.ms]
    assert rows[0]["loss"] == ""


def test_nan_and_infinity_and_the_unknown_are_told_apart_in_a_table():
    row = Epoch(
        epoch=1,
        loss=math.nan,
        accuracy=math.inf,
        val_loss=-math.inf,
        val_accuracy=0,
        seconds=1,
        step_ms_mean=1,
    )
    (found,) = csv.DictReader(io.StringIO(to_csv([EXAMPLE.model_copy(update={"epochs": (row,)})])))
    assert [found[name] for name in ("loss", "accuracy", "val_loss")] == ["nan", "inf", "-inf"]


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "\t=1", "a,b\n\"c'"])
def test_no_name_becomes_a_formula_or_another_column(name):
    card = EXAMPLE.model_copy(update={"name": name})
    (row,) = csv.DictReader(io.StringIO(steps_csv([card]), newline=""))
    assert row["name"].removeprefix("'") == name
    assert row["name"][0] not in "=+-@\t"


def test_a_table_is_no_run_card(card):
    with pytest.raises(LabError, match="not JSON"):
        read(to_csv([card]).encode())


# --- into the history -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", WRITERS)
def test_an_imported_run_equals_the_one_exported_and_says_where_it_comes_from(card, tmp_path, kind):
    other = History(f"sqlite:///{tmp_path / 'other.db'}")
    (run_id,) = other.add_cards(read(WRITERS[kind]([card])), origin="imported from cards")
    assert other.card(run_id) == card
    assert other.summaries()[0].origin == "imported from cards"


def test_of_many_cards_all_are_taken_in_or_none(card, tmp_path):
    other = History(f"sqlite:///{tmp_path / 'other.db'}")
    running = card.model_copy(update={"run_id": "later", "status": Status.RUNNING})
    with pytest.raises(LabError, match="still running"):
        other.add_cards([card, running], origin="a file")
    assert other.summaries(include_deleted=True) == []
    assert len(other.add_cards([card, card], origin="a file")) == 2
    assert len(other.summaries()) == 1


def test_a_failure_of_the_database_in_the_middle_leaves_nothing(card, tmp_path, monkeypatch):
    other = History(f"sqlite:///{tmp_path / 'other.db'}")
    enter, entered = queries.enter_card, []

    def fail_second(connection, found, origin):
        entered.append(found)
        if len(entered) == 2:
            raise LabError("The disk is full.")
        return enter(connection, found, origin)

    monkeypatch.setattr("cnnlab.history.queries.enter_card", fail_second)
    with pytest.raises(LabError, match="disk is full"):
        other.add_cards([card, card.model_copy(update={"run_id": "b"})], origin="a file")
    assert len(entered) == 2
    assert other.summaries(include_deleted=True) == []
