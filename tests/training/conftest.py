"""What tests of training share."""

import pytest


@pytest.fixture(autouse=True)
def of_a_known_machine(peaks: None) -> None:
    """Fits are short here: to measure the peak again for each would take as long as they do."""
