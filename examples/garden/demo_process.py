"""The process of a demo: its temporary folder, and the signals that end it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from garden.demo_story import say

# Windows has no SIGHUP, which a closed terminal sends.
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def run_demo(run: Callable[[Path], int]) -> int:
    """Run a demo in a temporary folder; delete the folder however the demo ends.

    Ctrl+C, SIGTERM and SIGHUP end it in the same way, with exit status 0.
    """
    with interrupted_by_signals(), TemporaryDirectory(prefix="garden-") as folder:
        try:
            return run(Path(folder).resolve())
        except KeyboardInterrupt:
            say("\nGoodbye.")
            return 0


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Raise KeyboardInterrupt at the first signal, and ignore further ones during the cleanup."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
