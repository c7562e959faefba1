"""A statement on paper: the same bytes for the same content, whenever it is made."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from platypus_bank.passbook import Line, Passbook
from platypus_bank.statements import Month

if TYPE_CHECKING:
    from fpdf import FPDF

_DAY_MM, _TEXT_MM, _CHANGE_MM, _LINE_MM = 28, 122, 40, 5
_TEXT_CHARS_MAX = 70  # more does not fit into the column


class Heading(Struct, frozen=True):
    """Whose statement it is, of which account and month."""

    bank: str
    holders: list[str]
    account: str
    mask: str
    currency: str
    month: Month


def render(heading: Heading, said: Passbook) -> bytes:
    """Return the PDF."""
    from fpdf import FPDF  # noqa: PLC0415 - takes 1.5 s, and most servers never make a statement

    first, last = heading.month.first_day(), heading.month.last_day()
    pdf = FPDF()
    pdf.set_creation_date(datetime(last.year, last.month, last.day, tzinfo=UTC))
    pdf.set_title(f"{heading.account} {heading.month}")
    pdf.add_page()
    _write(pdf, heading.bank, size=16)
    _write(pdf, "Statement of account", size=12)
    _write(pdf, ", ".join(heading.holders))
    _write(pdf, f"{heading.account} ...{heading.mask} ({heading.currency})")
    _write(pdf, f"{first} to {last}")
    pdf.ln(_LINE_MM)
    for line in (
        Line("", "Opening balance", said.opening),
        *said.lines,
        Line("", "Closing balance", said.closing),
    ):
        _row(pdf, line)
    return bytes(pdf.output())


def _write(pdf: "FPDF", text: str, size: int = 10) -> None:
    pdf.set_font("Helvetica", size=size)
    pdf.cell(text=_plain(text), h=_LINE_MM + size / 4, new_x="LMARGIN", new_y="NEXT")


def _row(pdf: "FPDF", line: Line) -> None:
    pdf.cell(w=_DAY_MM, h=_LINE_MM, text=line.day)
    pdf.cell(w=_TEXT_MM, h=_LINE_MM, text=_plain(line.text[:_TEXT_CHARS_MAX]))
    change = f"{line.change:,.2f}"
    pdf.cell(w=_CHANGE_MM, h=_LINE_MM, text=change, align="R", new_x="LMARGIN", new_y="NEXT")


def _plain(text: str) -> str:
    # The fonts that every reader of PDF has know no more than this.
    return text.encode("latin-1", "replace").decode("latin-1")
