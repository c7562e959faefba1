"""Text for a terminal: what would steer it, an escape sequence or a line break in a name, is spelt out."""

from __future__ import annotations

from rich.text import Text

from bankloom.core import logs


def shown(text: str, style: str = "") -> Text:
    """Return the text as a cell of a table: names and ids come from apps, banks and Plaid."""
    return Text(logs.spelt_out(text), style)
