"""Sets up logging: one line a record on stderr, with its run and Item, and every secret blacked out."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextvars import Token
    from types import TracebackType

LogFormat = Literal["text", "json"]

_PATTERNS = (
    # Any token of Plaid's: access, public, link, processor, user, asset-report, and those to come.
    re.compile(r"([a-z]-(?:sandbox|production|development)-)[0-9A-Za-z-]+"),
    re.compile(r"(?i)(bearer\s+)\S+"),
    re.compile(r"\b(bl_[0-9a-f]{8}_)[\w-]+"),  # a service key of ours
    re.compile(r"\b(eyJ)[\w-]+\.[\w-]+\.[\w-]+"),  # a JWT, as Plaid signs webhooks with
    re.compile(r"(?<![\w+/-])()[\w+/-]{43}=(?![\w=])"),  # 32 bytes in base64: a key of the keyring
    re.compile(r"(postgres(?:ql)?(?:\+\w+)?://[^:/@\s]*:)\S{1,1024}(?=@)"),
    re.compile(
        r"(?i)((?:password|secret|api[_-]?key)[\"']?\s{0,4}[=:]\s{0,4})"
        r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s'\"&,}]+)"
    ),
)
_SECRET_CHARS_MIN = 8
"""A configured secret shorter than this (`PLAID_SECRET=any`) would black out ordinary words."""

_NOISY = ("plaid", "urllib3", "procrastinate", "alembic", "sqlalchemy.engine", "uvicorn.access")
_TALKATIVE = ("pydantic_settings", "botocore", "boto3", "google", "azure", "msal", "hvac", "grpc")
"""Who reads secrets for us, and at `debug` would log the answers as they came."""

_INDENT = "\n    "

_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default=MappingProxyType({}))


def bind(**ids: object) -> Token[Mapping[str, str]]:
    """Put ids on every line that is logged from here on in this context.

    Known are `run_id`, `item_id` and `request_id`. A thread does not inherit them by itself: start
    its work through `contextvars.copy_context().run`.
    """
    return _ids.set({**_ids.get(), **{name: str(value) for name, value in ids.items()}})


@contextmanager
def bound(**ids: object) -> Iterator[None]:
    """Put ids on every line that is logged in the block; see `bind`."""
    token = bind(**ids)
    try:
        yield
    finally:
        _ids.reset(token)


def redact(text: str) -> str:
    """Black out tokens, keys and passwords in `text`."""
    for pattern in _PATTERNS:
        text = pattern.sub(r"\1***", text)
    return text


class TextFormatter(logging.Formatter):
    """`time LEVEL logger run=… item=… request=… : message`; what runs on is indented.

    A message may quote a bank or a caller. So no line break and no control character in it is
    written as it came: what stands at the beginning of a line was written by us.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets: list[str] = []
        self.hide(secrets)

    def hide(self, secrets: Iterable[str]) -> None:
        """Black these texts out too, from here on and in every thread."""
        new = {secret for secret in secrets if len(secret) >= _SECRET_CHARS_MIN}
        self._secrets = [*self._secrets, *(new - set(self._secrets))]

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        ids = _ids.get()
        told = " ".join(f"{name}={_word(ids.get(f'{name}_id'))}" for name in _IDS)
        line = f"{_at(record)} {record.levelname:<7} {record.name} {told} : {record.getMessage()}"
        exception = self._exception(record)
        return _laid_out(self._clean(f"{line}\n{exception}" if exception else line))

    def _exception(self, record: logging.LogRecord) -> str | None:
        """Return the traceback, and the stack if one was asked for."""
        trace = self.formatException(record.exc_info) if record.exc_info else None
        return "\n".join(part for part in (trace, record.stack_info) if part) or None

    def _clean(self, text: str) -> str:
        """Black out what looks like a secret, and the secrets of the settings wherever they stand."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return redact(text)


_IDS = ("run", "item", "request")


class JsonFormatter(TextFormatter):
    """One JSON object a line, in ASCII: at, level, logger, the ids, message, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        ids = _ids.get()
        fields = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            **{f"{name}_id": ids.get(f"{name}_id") for name in _IDS},
            "message": record.getMessage(),
            "exception": self._exception(record),
        }
        return json.dumps({name: text and self._clean(text) for name, text in fields.items()})


def _at(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


def _word(text: str | None) -> str:
    """Write an id so that it ends where it seems to."""
    return "-" if text is None else re.sub(r"[\s=\"]", "_", text)


def _laid_out(text: str) -> str:
    """Indent every line but the first, and write out what no terminal should be told."""
    lines = text.split("\n")
    return _INDENT.join(line if line.isprintable() else spelt_out(line) for line in lines)


def spelt_out(line: str) -> str:
    """Return the line with everything that is no printable character written out."""
    return "".join(
        char if char.isprintable() or char == "\t" else ascii(char)[1:-1] for char in line
    )


def configure(level: str, form: LogFormat = "text", secrets: Iterable[str] = ()) -> None:
    """Send every logger of this process to stderr, and whatever ends a thread unexpectedly.

    `secrets` are texts that are blacked out wherever they stand.
    """
    formatter = {"text": TextFormatter, "json": JsonFormatter}[form](secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in (*_NOISY, *_TALKATIVE):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # Each of these would write by itself past the formatter, arguments and all.
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def hide(secrets: Iterable[str]) -> None:
    """Black out these texts too, wherever they stand in what this process logs from here on."""
    texts = list(secrets)
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, TextFormatter):
            handler.formatter.hide(texts)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger(__name__).critical("Unexpected end", exc_info=(kind, error, trace))


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None:
        _uncaught(told.exc_type, told.exc_value, told.exc_traceback)
