"""The documents say what the code does: settings, errors, endpoints, commands, files, columns."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shlex
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import psycopg
import pytest
import typer
from fastapi.routing import APIRoute
from pydantic import SecretStr

import bankloom
from bankloom.cli import app as bankloom_command
from bankloom.core import confined, errors, secret_managers
from bankloom.core.copy_errors import CopyError
from bankloom.core.counting import Counted
from bankloom.core.db import POOL_OVERFLOW, POOL_SIZE, VIEWS_SCHEMA
from bankloom.core.embedded_postgres.errors import EmbeddedPostgresError
from bankloom.core.errors import BankloomError
from bankloom.core.secrets import NAMES, SecretSources
from bankloom.core.settings import PlaidSettings, Settings
from bankloom.models import LinkState, ProductState, RunStatus
from bankloom.routes import audit, erasures, health, items, link, metrics, plaid, runs, webhooks
from bankloom.services import plaid_errors, retry_policy
from bankloom.services.audit import Action
from bankloom.services.counted import COUNTED
from bankloom.services.gauges import GAUGES, Gauge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "docs/integrations/plaid_config.md"
ROUTE = ROOT / "docs/routes/plaid.md"
PIPELINE = ROOT / "docs/dataflow/plaid_ingestion_pipeline.md"
OPERATING = ROOT / "docs/operating.md"
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "platypus/*.md", "bench/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)

by_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS]
)


# Settings


def rows_of(settings: type[BaseSettings]) -> list[str]:
    """Return the row that the configuration page owes to each setting."""
    prefix = settings.model_config["env_prefix"]
    return [
        f"| `{prefix}{name.upper()}` | {kind(field.annotation)} | {default(field)} "
        f"| {field.description} |"
        for name, field in settings.model_fields.items()
        if name != "plaid"  # the other class, not a setting
    ]


def kind(annotation: Any) -> str:
    """Say in words what a setting takes."""
    if get_origin(annotation) in {Union, UnionType}:
        return kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        *first, last = (f"`{choice}`" for choice in get_args(annotation))
        return f"{', '.join(first)} or {last}"
    if get_origin(annotation) is list:
        return "list"
    words = {str: "text", int: "whole number", float: "number", Path: "folder", SecretStr: "secret"}
    return words[annotation]


def default(field: FieldInfo) -> str:
    """Write a default as it would stand in an environment file."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, list):
        value = ",".join(value)
    if value in {None, ""}:
        return "unset"
    return f"`{value}`".replace(str(Path.home()), "~")


ROWS = [row for kind in (PlaidSettings, Settings, SecretSources) for row in rows_of(kind)]


@pytest.mark.parametrize("row", ROWS)
def test_every_setting_is_documented(row: str) -> None:
    """Variable, type, default and meaning stand in the configuration page as in the code."""
    assert row in CONFIGURATION.read_text().splitlines(), f"missing or different: {row}"


def test_no_setting_is_made_up() -> None:
    """A variable that the page names exists."""
    known = {row.split("`")[1] for row in ROWS}
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    named = set(re.findall(r"\b(?:PLAID|BANKLOOM)_[A-Z_]+[A-Z]\b", text))
    # the first of these belongs to the tests, not to the service
    assert named - known <= {"BANKLOOM_TEST_SERVER_URL", "PLAID_OPENAPI_FILE"}


def test_the_secrets_are_documented() -> None:
    """Their section names each, and is loud about the managers that nothing here was tried on."""
    section = CONFIGURATION.read_text().split("\n## Where secrets come from\n")[1].split("\n## ")[0]
    assert all(f"`{name}`" in section.split("\n\n")[0] for name in NAMES)
    for label in (secret_managers.GOOGLE, secret_managers.AZURE):
        name = label.removesuffix(" (untested)")
        assert re.search(rf"^\| {name} \|.*\| \*\*untested\*\* \|$", section, re.MULTILINE)
        assert f"### {name}\n\n**Untested**" in section


# Errors

AT_START: list[type[BankloomError]] = [  # they end a command with a sentence; operating lists them
    errors.ConfigurationError,
    errors.WorldMismatchError,
    *EmbeddedPostgresError.__subclasses__(),
    *CopyError.__subclasses__(),
]
# The first of these is refused before anything listens. The embedded server's leave over HTTP only
# where it has died and can't be started again: the route's page refers to operating's table. The base
# classes are never raised themselves.
NOT_OF_THE_ROUTE = {
    errors.ConfigurationError,
    EmbeddedPostgresError,
    *EmbeddedPostgresError.__subclasses__(),
    CopyError,
    *CopyError.__subclasses__(),
}
ONLY_IN_RUNS = {
    errors.StagingIncompleteError,
    errors.RebuildTooLargeError,
    errors.RunCancelledError,
    errors.ItemRemovedError,
}
INSIDE = {"superseded", "stopped"}  # end a run from within; a run answers as its successor


def error_classes() -> list[type[BankloomError]]:
    """Return every error class of the service that a caller of the API can meet."""
    for module in pkgutil.walk_packages(bankloom.__path__, "bankloom."):
        if not module.name.startswith(("bankloom.migrations", "bankloom.cli")):
            importlib.import_module(module.name)
    found = {BankloomError}
    waiting = [BankloomError]
    while waiting:
        new = set(waiting.pop().__subclasses__()) - found
        found |= new
        waiting += new
    outside = [each for each in found if each.__module__.startswith("bankloom.cli")]
    return sorted(
        (each for each in found - NOT_OF_THE_ROUTE - set(outside) if each.code not in INSIDE),
        key=lambda each: each.code,
    )


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.code)
def test_every_error_is_documented(error: type[BankloomError]) -> None:
    """Its code stands in the route's page with its HTTP status, or as one inside a run."""
    place = "in a run" if error in ONLY_IN_RUNS else str(error.status)
    starts = f"| `{error.code}` | {place} | "
    assert any(line.startswith(starts) for line in ROUTE.read_text().splitlines()), starts


@pytest.mark.parametrize("error", AT_START, ids=lambda error: error.code)
def test_every_error_at_start_is_documented(error: type[BankloomError]) -> None:
    """Its code stands in operating's table."""
    assert f"\n| `{error.code}` | " in OPERATING.read_text()


def test_what_counts_as_gone_is_documented() -> None:
    """The route and the pipeline name the errors of an Item that is no duplicate."""
    for document in (ROUTE, PIPELINE):
        text = document.read_text()
        assert all(f"`{code}`" in text for code in plaid_errors.GONE)


@pytest.mark.parametrize("remedy", plaid_errors.Remedy, ids=lambda remedy: remedy.name)
def test_every_remedy_is_documented(remedy: plaid_errors.Remedy) -> None:
    """The pipeline's table puts each of Plaid's codes and types beside its remedy, and no other."""
    (row,) = (
        line for line in PIPELINE.read_text().splitlines() if line.startswith(f"| `{remedy.name}` ")
    )
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", row.split(" | ")[1]))
    table = plaid_errors._BY_CODE | plaid_errors._BY_TYPE
    owed = {code for code, what in table.items() if what is remedy}
    assert named - {"INVALID_FIELD"} == owed


def test_the_times_are_documented() -> None:
    """The ladder of a first history stands in the table of times as in the code."""
    steps = ", ".join(str(step) for step in retry_policy.NOT_COMPLETE_LADDER_SECONDS)
    last = retry_policy.NOT_COMPLETE_LAST_SECONDS
    assert f"again after {steps} s, then every {last} s" in PIPELINE.read_text()


def test_the_connections_are_documented() -> None:
    """Both pages say how many connections a process may open, as the pool has them."""
    kept, more = POOL_SIZE + confined.POOL_SIZE, POOL_OVERFLOW + confined.POOL_OVERFLOW
    all_of_them = kept + more
    configuration, operating = (
        " ".join(page.read_text().split()) for page in (CONFIGURATION, OPERATING)
    )
    assert (
        f"at most {all_of_them} connections for its sessions ({kept} kept, {more} more"
    ) in configuration
    assert f"{all_of_them + 6} connections: {all_of_them} for sessions, 6 for its wor" in operating


@pytest.mark.parametrize("state", [*ProductState, *RunStatus, *LinkState])
def test_every_state_is_documented(state: str) -> None:
    """States of product tags, of runs and of Link sessions stand in the pipeline's tables."""
    assert f"\n| `{state}` | " in PIPELINE.read_text()


# Metrics


def metric_row(metric: Counted | Gauge) -> str:
    """Return the row that operating's table owes to a metric."""
    kind = "gauge"
    if isinstance(metric, Counted):
        kind = "histogram" if metric.buckets else "counter"
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
    return f"| `{metric.name}` | {kind} | {labels} | {metric.help} |"


@pytest.mark.parametrize("metric", [*COUNTED, *GAUGES], ids=lambda metric: metric.name)
def test_every_metric_is_documented(metric: Counted | Gauge) -> None:
    """Name, type, labels and meaning stand in operating's table as in the code."""
    row = metric_row(metric)
    assert row in OPERATING.read_text().splitlines(), f"missing or different: {row}"


def test_no_metric_is_made_up() -> None:
    """A metric that a document names exists."""
    known = {metric.name for metric in (*COUNTED, *GAUGES)}
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    named = set(re.findall(r"`(bankloom_[a-z_]+)[`{ ]", text))
    assert named <= known


# The audit log


@pytest.mark.parametrize("action", Action)
def test_every_action_is_documented(action: Action) -> None:
    """Operating's table says of an action what the code does."""
    assert f"| `{action}` | {action.meaning} |" in OPERATING.read_text().splitlines()


def test_no_action_is_made_up() -> None:
    """The table of actions has no row more."""
    rows = OPERATING.read_text().partition("| action | ")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\S+)` \|", rows, re.MULTILINE)) == set(Action)


# Endpoints, columns


def endpoints() -> list[str]:
    """Return every endpoint as the route's page names it."""
    modules = (plaid, items, erasures, link, runs, webhooks, health, metrics, audit)
    routers = [module.router for module in modules]
    routes = [route for router in routers for route in router.routes]
    return [
        f"{method} {route.path_format}"
        for route in routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in sorted(route.methods or ())
    ]


@pytest.mark.parametrize("endpoint", endpoints())
def test_every_endpoint_is_documented(endpoint: str) -> None:
    """It has a heading of its own in the route's page."""
    headings = [line for line in ROUTE.read_text().splitlines() if line.startswith("## ")]
    assert any(endpoint in heading[3:].split(", ") for heading in headings)


def test_no_endpoint_is_made_up() -> None:
    """The headings of the route's page name endpoints that there are."""
    headings = re.findall(r"^## (.* /.*)$", ROUTE.read_text(), re.MULTILINE)
    assert {part for heading in headings for part in heading.split(", ")} == set(endpoints())


def test_the_columns_of_the_views_are_documented(database_url: str) -> None:
    """Operating lists the columns of every view of the read-only role, in order."""
    query = (
        "SELECT table_name, string_agg(format('`%%s`', column_name), ', ' ORDER BY ordinal_position)"
        " FROM information_schema.columns WHERE table_schema = %s GROUP BY table_name"
    )
    with psycopg.connect(database_url) as connection:
        views = connection.execute(query, [VIEWS_SCHEMA]).fetchall()
    text = " ".join(OPERATING.read_text().split())
    assert {name for name, _ in views} == {"accounts", "transactions", "balances"}
    for name, columns in views:
        assert f"**{name}**: {columns}" in text


# Links, files, commands


def anchors(document: Path) -> set[str]:
    """Return the anchors that a forge makes of a document's headings."""
    headings = re.findall(r"^#+ (.*)$", without_blocks(document.read_text()), re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in words}


def without_blocks(text: str) -> str:
    """Leave out fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


@by_document
def test_every_link_resolves(document: Path) -> None:
    """Relative links lead to files that there are, and to headings in them."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(document.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


@by_document
def test_every_named_file_exists(document: Path) -> None:
    """Paths of code and tests in backticks are there, from the root or from the package."""
    named = re.findall(
        r"`([\w./-]+/[\w.-]*\.py|(?:src|tests|docs|platypus)/[\w/]+)`", document.read_text()
    )
    places = (ROOT, ROOT / "src/bankloom", document.parent)
    missing = [name for name in named if not any((place / name).exists() for place in places)]
    assert missing == []


def code_of(document: Path) -> Iterator[str]:
    """Give every line of code of a document: those of fenced blocks, and spans in backticks."""
    text = document.read_text().replace("\\\n", " ")
    for block in re.findall(
        r"^ *```(?:sh|console|bash)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL
    ):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", without_blocks(text))


def commands_of(document: Path, program: str) -> list[list[str]]:
    """Return the arguments of every call of a program that a document shows."""
    start = re.compile(rf"^\s*(?:\$ )?(?:\w+=\S*\s+)*(?:\S*/)?{program} (.*)$")
    calls = [match.group(1) for line in code_of(document) if (match := start.match(line))]
    return [shlex.split(call, comments=True) for call in calls]


@by_document
def test_every_bankloom_command_exists(document: Path) -> None:
    """Commands, subcommands and options that a document shows are those of the program."""
    for arguments in commands_of(document, "bankloom"):
        command: Any = typer.main.get_command(bankloom_command)
        rest = list(arguments)
        while (subcommands := getattr(command, "commands", {})) and rest:
            assert rest[0] in subcommands, arguments
            command = subcommands[rest.pop(0)]
        known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        asked = {word for word in rest if word.startswith("--")}
        assert command.name == "psql" or asked <= known, arguments


@by_document
def test_every_make_target_exists(document: Path) -> None:
    """Targets that a document shows are in the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {arguments[0] for arguments in commands_of(document, "make") if arguments}
    assert asked <= targets


def test_the_documents_show_commands() -> None:
    """The two tests above have something to look at."""
    for program in ("bankloom", "make"):
        assert any(commands_of(document, program) for document in DOCUMENTS)
