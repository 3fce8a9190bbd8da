"""A process of its own for the garden on Django, whose settings hold for a whole process.

The test's process asks over a pipe, from several threads at once where a test does; the child
answers by its `Site`. It ends when the pipe does, so also when the tests are killed.
"""

import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Lock, Thread

from tests.support.paths import ROOT

MIN_AGE = 60


def environment(database_url, *, secret, dev):
    """Return what a process with this garden is told from outside."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in ("src", "examples", ".")),
        "DJANGO_SETTINGS_MODULE": "garden_django.settings",
        "GARDEN_DATABASE_URL": database_url,
        "GARDEN_SECRET": secret,
        "GARDEN_DEV": "1" if dev else "",
    }


class Child:
    """The test's end of the pipe."""

    def __init__(self, surroundings, complaints):
        """Start it; what it writes to its standard error goes to the file *complaints*."""
        self._wire, there = Pipe()
        self._complaints, self._writing = complaints, Lock()
        self._numbers, self._waiting = count(), {}
        with complaints.open("w") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(there.fileno())],
                cwd=ROOT,
                env=surroundings,
                pass_fds=[there.fileno()],
                stdout=file,
                stderr=file,
            )
        there.close()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def call(self, name, /, *args, **fields):
        """Call a method of the child's `Site`; return what it returns, or raise what it raises."""
        answer = Future()
        with self._writing:
            number = next(self._numbers)
            self._waiting[number] = answer
            try:
                self._wire.send((number, name, args, fields))
            except BrokenPipeError:
                answer.cancel()
        if answer.cancelled():
            raise ChildProcessError(self._complaints.read_text())
        return answer.result(MIN_AGE)

    def end(self):
        """Let it end, and wait until it has."""
        # One that has died already hears nothing.
        with self._writing, suppress(BrokenPipeError):
            self._wire.send(None)
        try:
            self._process.wait(MIN_AGE)
        finally:
            self._process.kill()
            self._process.wait(MIN_AGE)
        self._reader.join(MIN_AGE)
        self._wire.close()

    def _read(self):
        try:
            while True:
                number, value, raised = self._wire.recv()
                answer = self._waiting.pop(number)
                if raised is None:
                    answer.set_result(value)
                else:
                    answer.set_exception(made_again(*raised))
        except (EOFError, ConnectionError):
            for answer in self._waiting.values():
                answer.set_exception(ChildProcessError(self._complaints.read_text()))


def made_again(kind, args, values):
    """Return an exception from its parts: pickle would call a class that takes other arguments."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(values)
    return error


def main(wire):
    """Answer what comes in over the pipe until it ends."""
    from tests.support.gardens.django_process import Site

    site, writing = Site(), Lock()

    def answer(number, name, args, fields):
        try:
            told = number, site.answer(name, *args, **fields), None
        except Exception as error:  # noqa: BLE001  (it is raised in the test)
            told = number, None, (type(error), error.args, vars(error))
        with writing:
            try:
                wire.send(told)
            except Exception as error:  # noqa: BLE001  (what no pipe can carry)
                wire.send((number, None, (RuntimeError, (f"{name}: {error}",), {})))

    with ThreadPoolExecutor(8) as threads:
        try:
            while asked := wire.recv():
                threads.submit(answer, *asked)
        except (EOFError, ConnectionError):
            # Nobody is there any more: what is under way is not waited for.
            os._exit(1)
    site.close()


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
