"""Rotations to be killed: each in a fork of a process that has imported everything already."""

from __future__ import annotations

import multiprocessing
import signal
from contextlib import closing
from typing import TYPE_CHECKING

from bankloom.opening import open_runtime
from bankloom.services.keyrings import rotate

if TYPE_CHECKING:
    from bankloom.core.settings import Settings

END_SECONDS_MAX = 60

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["bankloom.app", "bankloom.services.keyrings.rotate"])


def kill_one(settings: Settings, to: str, seconds: float) -> None:
    """Begin a rotation and kill it so much later, if it is not through by then."""
    process = _forks.Process(target=rotate_once, args=(settings, to))
    process.start()
    process.join(seconds)
    process.kill()
    process.join(END_SECONDS_MAX)
    assert process.exitcode in {0, -signal.SIGKILL}, "a rotation died of a fault of its own"
    process.close()


def rotate_once(settings: Settings, to: str) -> None:
    """Rotate, few rows at a time."""
    rotate.ROWS_AT_ONCE = 20
    with closing(open_runtime(settings)) as runtime:
        rotate.now(runtime, to, lambda _progress: None)
