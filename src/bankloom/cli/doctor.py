"""`bankloom doctor`: looks at everything, a line each, and says what to do next."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from bankloom import migrations
from bankloom.cli import signals
from bankloom.cli.item_tables import console
from bankloom.core import logs
from bankloom.core.errors import BankloomError
from bankloom.core.settings import Settings
from bankloom.services.doctor import examine
from bankloom.services.doctor.findings import Standing, failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bankloom.services.doctor.findings import Finding

_STYLES = {Standing.OK: "green", Standing.WARNING: "yellow", Standing.FAILURE: "bold red"}

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON list, for a program.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings too.")]


def doctor(*, as_json: AsJson = False, strict: Strict = False) -> None:
    """Look at settings, keys, database, clocks, Plaid and webhooks, and say what to do next.

    Exits with 1 where anything fails, so that a script can ask. Nothing is repaired.
    """
    signals.end_in_order()
    findings = _findings()
    seen = list(findings) if as_json else list(_shown(findings))
    if as_json:
        json.dump([finding._asdict() for finding in seen], sys.stdout, indent=2)
        typer.echo()
    bad = {Standing.FAILURE, Standing.WARNING} if strict else {Standing.FAILURE}
    if any(finding.standing in bad for finding in seen):
        raise typer.Exit(1)


def _findings() -> Iterator[Finding]:
    try:
        settings = Settings.read()
    except BankloomError as error:
        yield failed("settings", error)
        return
    logs.configure("error", settings.log_format, settings.secret_texts)
    yield from examine.now(settings, migrations.looked_at)


def _shown(findings: Iterable[Finding]) -> Iterator[Finding]:
    out = console()
    for finding in findings:
        line = Text(f"{finding.standing:<8}", _STYLES[finding.standing])
        line.append(f" {finding.name}: ", "bold").append(finding.seen, "default")
        if finding.next_step:
            line.append(f"\n         -> {finding.next_step}", "default")
        out.print(line)
        yield finding
