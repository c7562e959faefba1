"""A data folder for each test, processes that use it, and the certainty that none is left."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from bankloom.core.embedded_postgres import EmbeddedPostgres

WAIT_S = 30
MEMORY = Path("/dev/shm")  # noqa: S108 - only the place: the folder in it gets a name of its own
ROOM_BYTES = 2_000_000_000  # containers often give 64 MB, and a cluster takes 45

_USER = """
import sys
from pathlib import Path
from bankloom.core.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
for line in sys.stdin:
    getattr(server, line.strip())()
    print(server.url, flush=True)
"""


class UserProcess:
    """Another process that uses the database and does what it is told, one word a line."""

    def __init__(self, data_dir: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _USER, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def tell(self, word: str) -> None:
        """Send `start`, `ensure_running` or `stop` without waiting."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def answer(self) -> str:
        """Wait until the last word is done; return the address of the database."""
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer.startswith("postgresql://"), "the process failed; its traceback is above"
        return answer

    def do(self, word: str) -> str:
        """Send a word and wait until it is done."""
        self.tell(word)
        return self.answer()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture
def empty_dir() -> Iterator[Path]:
    """Name a data folder that does not exist yet, in a place that every account can reach."""
    with _place() as place:
        yield place / "data"


@pytest.fixture(scope="session")
def _made_dir() -> Iterator[Path]:
    """Make a data folder once: a copy costs a fifth of a new one."""
    with _place() as place:
        EmbeddedPostgres(place / "data", durable=False).start().stop()
        (place / "data" / "postgres.log").unlink()
        yield place / "data"


@pytest.fixture
def data_dir(empty_dir: Path, _made_dir: Path) -> Path:
    """Give a data folder with a cluster whose server does not run."""
    _copy(_made_dir, empty_dir)
    return empty_dir


@pytest.fixture
def copy() -> Callable[[Path, Path], None]:
    """Copy a folder with owners and modes, as `cp -a` does."""
    return _copy


@pytest.fixture(scope="session")
def shared_dir() -> Iterator[Path]:
    """Name the data folder of the server that tests share which do it no harm."""
    with _place() as place:
        yield place / "data"


@pytest.fixture(scope="session")
def shared(shared_dir: Path) -> Iterator[EmbeddedPostgres]:
    """Run one server for the tests that only look at it."""
    with EmbeddedPostgres(shared_dir, durable=False) as server:
        yield server


@pytest.fixture
def new_user() -> Iterator[Callable[..., UserProcess]]:
    """Start processes that use the data folder; keyword arguments go to their environment."""
    users: list[UserProcess] = []

    def start(folder: Path, **environment: str) -> UserProcess:
        users.append(UserProcess(folder, environment))
        return users[-1]

    yield start
    for user in users:
        user.kill()


@pytest.fixture
def servers(empty_dir: Path) -> Callable[[], list[psutil.Process]]:
    """List the servers that run below the data folder's place."""
    return lambda: _servers(empty_dir.parent)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for a condition, failing after a deadline."""
    return _until


@contextmanager
def _place() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="bankloom-test-", dir=MEMORY if _has_room() else None))
    place.chmod(0o711)
    try:
        yield place
    finally:
        _remove(place)


def _has_room() -> bool:
    return MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=_copy_with_owner)
    for folder in (source, *filter(Path.is_dir, source.rglob("*"))):
        _give_to_owner_of(folder, target / folder.relative_to(source))


def _copy_with_owner(source: str, target: str) -> None:
    shutil.copy2(source, target)
    _give_to_owner_of(Path(source), Path(target))


def _give_to_owner_of(source: Path, target: Path) -> None:
    owner = source.stat()
    os.chown(target, owner.st_uid, owner.st_gid)


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.002)


def _servers(place: Path) -> list[psutil.Process]:
    """Find the servers started with a cluster below `place`, and those whose home it names."""
    homes = [place, *map(_first_line, place.rglob("home.txt"))]
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words and Path(words[0]).name == "postgres" and _is_below(words, homes):
            found.append(process)
    return found


def _is_below(words: list[str], homes: list[Path]) -> bool:
    return any(Path(word).is_relative_to(home) for word in words for home in homes)


def _remove(place: Path) -> None:
    """End what still runs there and remove it, with the folders it names elsewhere."""
    servers = _servers(place)
    for server in servers:
        server.send_signal(signal.SIGQUIT)  # unlike SIGKILL, it gives shared memory back
    _, alive = psutil.wait_procs(servers, timeout=10)
    for server in alive:
        server.kill()
    named = [*place.rglob("home.txt"), *place.rglob("socket.txt")]
    for folder in map(_first_line, named):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(place)


def _first_line(record: Path) -> Path:
    return Path(record.read_text().splitlines()[0])
