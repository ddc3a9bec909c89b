"""One line of what a library raised."""

import pytest

from specc.errors import in_one_line


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no\nmore"), "ValueError: no"),
        (ValueError("\n\n  TypeError: \nA Boolean\nmore"), "ValueError: TypeError: A Boolean"),
        (ValueError("One:\nTwo:\nthree"), "ValueError: One: Two: three"),
        (ValueError("One:\nTwo:"), "ValueError: One: Two:"),
        (KeyError(), "KeyError: no message"),
        (Unspeakable(), "Unspeakable: no message"),
        (ValueError("x" * 1000), "ValueError: " + "x" * 388),
    ],
)
def test_it_holds_the_reason(error: Exception, said: str) -> None:
    assert in_one_line(error) == said
