"""The live site in processes of its own: Django is set up in the test's process already."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import contextmanager

from tests.support.paths import ROOT

# Where tests run in the background, Ctrl-C is ignored, and by whatever they start as well.
HEARING = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("django", run_name="__main__", alter_sys=True)
"""


def told(module, *, database=None, **environment):
    """Return what *module* prints, as data: a project with settings and models of its own.

    *database* is a setting of Django's; without one the project takes its own.
    """
    if database is not None:
        environment["DATABASE"] = json.dumps(database)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tests.support.django_projects.{module}"],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Town:
    """One database of the town, with servers and commands over it."""

    def __init__(self, folder, *, redis="", efface=None, **settings):
        self.path, self.log = folder / "town.db", folder / "server.log"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.support.django_projects.live_settings",
            "TOWN_DATABASE": str(self.path),
            "TOWN_REDIS": redis,
            "TOWN_SETTINGS": json.dumps(settings),
            "TOWN_EFFACE": json.dumps(efface or {}),
        }
        self.manage("migrate", "--run-syncdb", "--skip-checks", "--verbosity", "0")
        self.execute(
            "CREATE TABLE old_register "
            "(id integer PRIMARY KEY, who_id bigint NOT NULL, remark text)"
        )

    def manage(self, *arguments):
        """Run a command of Django's, in a process of its own."""
        done = self.ended(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ended(self, *arguments, said=""):
        """Return how such a command has ended; it reads what is *said*, or has nothing to read."""
        command = [sys.executable, "-m", "django", *map(str, arguments)]
        if said is None:
            command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            input=said,
        )

    @contextmanager
    def on_a_terminal(self, *arguments):
        """Give such a command as it runs on a terminal, and the end of it where somebody types."""
        keyboard, terminal = os.openpty()
        command = [sys.executable, "-c", HEARING, *map(str, arguments)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(terminal)
        try:
            yield process, keyboard
        finally:
            process.kill()
            process.wait(20)
            process.stdout.close()
            process.stderr.close()
            os.close(keyboard)

    @contextmanager
    def served(self, *, lifespan="on"):
        """Serve the site until the block ends, and give its address."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        module = "tests.support.django_projects.live_server"
        command = [sys.executable, "-m", module, str(listener.fileno()), lifespan]
        with listener, self.log.open("a") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                pass_fds=[listener.fileno()],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            try:
                assert process.stdout.readline() == "ready\n", self.log.read_text()
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                process.terminate()
                process.wait(20)
                process.stdout.close()

    def execute(self, statement, *values):
        """Do something to the database behind the site's back."""
        connection = sqlite3.connect(self.path, timeout=20)
        try:
            with connection:
                return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def is_open(self, key):
        (found,) = self.execute("SELECT deleted_at FROM town_person WHERE id = ?", key)
        return found == (None,)

    def receipts(self):
        """The recorded receipts, oldest first."""
        return [json.loads(text) for (text,) in self.execute("SELECT receipt FROM efface_closings")]
