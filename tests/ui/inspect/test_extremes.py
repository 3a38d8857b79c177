"""Which classes are said to be known least and best, several alike included."""

import pandas as pd
import pytest

from cnnlab.ui.inspect.answered import _extremes


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.5, 0.25, 1.0), "It knows **b** least, 25 % right, and **c** best, 100 %."),
        ((0.5, 0.5, 1.0), "It knows **a** and **b** least, 50 % right, and **c** best, 100 %."),
        ((0.0, 0.0, 0.0, 1.0), "It knows **a** and 2 others least, 0 % right, and **d** best, "),
        ((0.5, 0.5), "It knows all classes alike: 50 % right."),
        ((float("nan"), 0.5, 0.75), "It knows **b** least, 50 % right, and **c** best, 75 %."),
    ],
)
def test_classes_that_are_known_alike_are_said_alike(shares, said):
    pictures = [0 if share != share else 4 for share in shares]
    table = pd.DataFrame({"name": list("abcd")[: len(shares)], "pictures": pictures})
    assert _extremes(table.assign(share=shares)).startswith(said)
