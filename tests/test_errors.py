"""Errors are one line that a person can read."""

import pytest

from quickstudy.errors import one_line


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (ValueError("two\nlines,\r\n\tno more"), "two lines, no more"),
        (AssertionError(), "AssertionError"),
        ("", ""),
        (ValueError("a" * 201), "a" * 200 + "..."),
        (ValueError("a" * 200), "a" * 200),
    ],
)
def test_what_a_value_says_is_one_line_that_is_not_too_long(value, line):
    assert one_line(value) == line
