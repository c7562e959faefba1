"""msgspec's structs, decoded by many threads at once."""

from __future__ import annotations

import subprocess
import sys

from bankloom.core import structs
from bankloom.services.plaid_messages import SyncPage

FIRST_DECODED_BY_MANY = """
import sys, threading
import msgspec
from bankloom.core import structs

kinds = []
for number in range(100):
    ours = {"module": "bankloom.made_up"}
    inner = msgspec.defstruct(f"Inner{number}", [("a", "int"), ("b", "str | None", None)], **ours)
    kinds.append(msgspec.defstruct(f"Outer{number}", [("one", inner), ("more", list[inner])], **ours))
structs.make_ready()
sys.setswitchinterval(1e-6)
together = threading.Barrier(8)

def decode_all():
    for kind in kinds:
        together.wait()
        msgspec.json.decode(b'{"one": {"a": 1, "b": "x"}, "more": [{"a": 2}]}', type=kind)

threads = [threading.Thread(target=decode_all) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_many_threads_may_be_the_first_to_decode() -> None:
    """Eight that meet at each struct live; without preparation the process dies every time."""
    ended = subprocess.run([sys.executable, "-c", FIRST_DECODED_BY_MANY], check=False)
    assert ended.returncode == 0


def test_what_plaid_tells_is_made_ready() -> None:
    """Every struct of ours that was imported, and nobody else's."""
    kinds = structs.make_ready()
    assert SyncPage in kinds
    assert {kind.__module__.partition(".")[0] for kind in kinds} == {"bankloom"}
