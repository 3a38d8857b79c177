"""Recipes that visitors propose: a short list that the presenter queues or dismisses."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.room import Place, Proposal
from cnnlab.spec import PRESETS, LabError, change
from cnnlab.ui import audience, lab
from tests.quiet_lab import QuietLab
from tests.ui import sharing
from tests.ui.sharing import keys, presenter, press, visitor

TINY = PRESETS["tiny"].spec


@pytest.fixture(autouse=True)
def shared(quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch) -> None:
    sharing.share(monkeypatch)


def propose(phone: AppTest, name: str) -> AppTest:
    phone.text_input(key="room.wants").input(name)
    phone.button(key="room.propose").click()
    return phone.run()


def test_a_visitor_proposes_what_the_form_says_and_the_presenter_queues_it() -> None:
    phone = propose(visitor(preset="tiny", epochs="7"), "Ann :red[x]")
    assert "lies before the presenter" in phone.toast[0].value
    (proposal,) = audience.room().proposals.proposed()
    assert proposal.spec.epochs == 7
    ann = presenter("history")
    assert "<b>Ann :red[x]</b>" in [item.proto.body for item in ann.get("html")]
    press(ann, f"room.queue-{proposal.proposal_id}")
    assert audience.room().proposals.proposed() == ()
    (run,) = lab.history().summaries()
    assert run.spec == proposal.spec
    assert run.name.endswith("· Ann :red[x]")


def test_the_presenter_dismisses_what_is_not_wanted() -> None:
    propose(visitor(preset="tiny", epochs="7"), "Ann")
    (proposal,) = audience.room().proposals.proposed()
    ann = presenter("history")
    press(ann, f"room.dismiss-{proposal.proposal_id}")
    assert audience.room().proposals.proposed() == ()
    assert lab.history().summaries() == []


def test_what_cannot_be_proposed_is_said_in_a_sentence() -> None:
    phone = propose(visitor(preset="tiny", epochs="7"), "  ")
    assert "Give a name" in phone.toast[0].value
    assert audience.room().proposals.proposed() == ()


def test_a_presenter_starts_and_does_not_propose() -> None:
    assert "room.propose" not in keys(presenter(preset="tiny", epochs="7"))


def test_names_are_written_as_text() -> None:
    propose(visitor(preset="tiny", epochs="7"), "<img src=x onerror=1>"[:24])
    written = " ".join(item.proto.body for item in presenter("history").get("html"))
    assert "<img src=x" not in written
    assert "&lt;img src=x" in written


# --- the gate -------------------------------------------------------------------------------


def test_every_deed_of_a_presenter_is_refused_to_a_visitor(monkeypatch) -> None:
    deeds = {
        "lead_to": (Place("history"),),
        "take_lead": (),
        "give_up_lead": (),
        "open_bets": (("CPU", "GPU"),),
        "close_bets": (),
        "queue_proposal": (Proposal("a", "b", "c", TINY),),
        "dismiss_proposal": (Proposal("a", "b", "c", TINY),),
    }
    guarded = {name for name, deed in vars(audience).items() if hasattr(deed, "__wrapped__")}
    assert guarded == set(deeds)
    for name, arguments in deeds.items():
        with pytest.raises(LabError, match="You are watching"):
            getattr(audience, name)(*arguments)
    assert audience.room().lead.led() is None
    assert audience.room().bets.book() is None


def test_a_recipe_that_cannot_work_here_is_not_put_on_the_list() -> None:
    with pytest.raises(LabError, match="only the data sets listed"):
        audience.propose("Ann", change(TINY, dataset="/etc/passwd"))
    assert audience.room().proposals.proposed() == ()


def test_a_recipe_that_cannot_be_queued_stays_on_the_list(monkeypatch) -> None:
    def full(*_: object) -> str:
        raise LabError("The queue is full.")

    monkeypatch.setattr(lab, "start", full)
    monkeypatch.setattr("cnnlab.ui.rights.may_act", lambda: True)
    audience.room().proposals.propose("v", "Ann", TINY)
    (proposal,) = audience.room().proposals.proposed()
    with pytest.raises(LabError, match="queue is full"):
        audience.queue_proposal(proposal)
    assert audience.room().proposals.proposed() == (proposal,)
