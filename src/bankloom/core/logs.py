"""Sets up logging: one line a record on stderr, with anything that looks like a token blacked out."""

from __future__ import annotations

import logging
import re
import sys

_TOKEN = re.compile(
    r"\b((?:access|public|link|processor|asset-report)-(?:sandbox|production|development)-)"
    r"[0-9A-Za-z-]+"
)
_SERVICE_KEY = re.compile(r"\b(bl_[0-9a-f]{8}_)[\w-]+")
_BEARER = re.compile(r"(?i)(bearer\s+)\S+")
_URL_PASSWORD = re.compile(r"(postgres(?:ql)?(?:\+\w+)?://[^:/@\s]*:)[^@\s]+@")
_CONNECTION_PASSWORD = re.compile(r"(\bpassword=)(?:'(?:[^'\\]|\\.)*'|[^\s'\"&]+)")
_NOISY = ("plaid", "urllib3", "procrastinate", "alembic", "sqlalchemy.engine", "uvicorn.access")


def redact(text: str) -> str:
    """Black out tokens, bearer keys and database passwords in `text`."""
    text = _TOKEN.sub(r"\1***", text)
    text = _BEARER.sub(r"\1***", text)
    text = _SERVICE_KEY.sub(r"\1***", text)
    text = _URL_PASSWORD.sub(r"\1***@", text)
    return _CONNECTION_PASSWORD.sub(r"\1***", text)


class RedactingFormatter(logging.Formatter):
    """The last thing a record passes through, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, redacted."""
        return redact(super().format(record))


def configure(level: str) -> None:
    """Send every logger of this process to stderr, through the redacting formatter."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        RedactingFormatter(
            "%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z"
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
