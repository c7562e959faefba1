"""What a terminal is shown of names that others chose."""

from __future__ import annotations

from bankloom.cli.shown import shown


def test_no_name_steers_the_terminal() -> None:
    """Escape sequences and line breaks are spelt out; letters of all scripts, and spaces, stay."""
    assert shown("\x1b[31mred\nnewline\u202e").plain == "\\x1b[31mred\\nnewline\\u202e"
    assert shown("Größe 漢字").plain == "Größe 漢字"
