"""The address that visitors are shown."""

from __future__ import annotations

import pytest

from cnnlab import sharing
from cnnlab.sharing import visitors_address

LOCAL = ["localhost", "127.0.0.1"]


@pytest.fixture(autouse=True)
def on_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "host_names", lambda: ["192.168.1.5", "laptop.local"])


@pytest.mark.parametrize(
    ("seen", "allowed", "shown"),
    [
        ("http://localhost:8501/race", LOCAL, "http://192.168.1.5:8501"),
        ("http://127.0.0.1:8501/", [*LOCAL, "lab.example.org"], "http://lab.example.org:8501"),
        ("https://lab.example.org/race?x=1", LOCAL, "https://lab.example.org"),
        ("http://10.0.0.7:9000/", LOCAL, "http://10.0.0.7:9000"),
        ("https://localhost:8501/", LOCAL, "https://192.168.1.5:8501"),
        ("", LOCAL, "http://192.168.1.5:8501"),
        ("javascript:alert(1)", LOCAL, "http://192.168.1.5:8501"),
    ],
)
def test_it_is_one_that_other_computers_reach(seen: str, allowed: list[str], shown: str) -> None:
    assert visitors_address(seen, allowed, 8501) == shown


def test_below_a_proxys_path_it_says_so() -> None:
    assert visitors_address("", LOCAL, 80, "/lab/") == "http://192.168.1.5:80/lab"
