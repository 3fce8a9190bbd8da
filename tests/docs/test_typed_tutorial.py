"""The tutorial, typed and run from the first line to the last."""

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, text

from efface.errors import IncompletePolicyError, raise_problems
from efface.policy.check import check
from garden.sample_data import ADA_EMAIL, PASSWORD
from garden.server_thread import bind, serving
from tests.support.documentation import Written, at, blocks
from tests.support.gardens import Browser
from tests.support.paths import ROOT


def without_chance(printed):
    """A text without what differs from run to run: digests and the year."""
    return re.sub(r"plan [0-9a-f]{6}|(?<=until )\d{4}", "…", printed)


TUTORIAL = ROOT / "docs" / "tutorial.md"


class Reader:
    """Somebody who types the tutorial and runs it, from the first line to the last."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.typed = folder, Written(folder, monkeypatch, "club")
        self.printed, self.messages = [], []
        self.story = None

    def read(self):
        """Do what each block says."""
        for language, code in blocks(TUTORIAL):
            getattr(self, f"_{language}")(code)

    def alembic(self, *arguments):
        command = [sys.executable, "-m", "alembic", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def _sql(self, code):
        engine = create_engine(os.environ["DATABASE_URL"])
        with engine.begin() as connection:
            for statement in code.split(";\n"):
                connection.execute(text(statement))
        engine.dispose()
        assert self.alembic("init", "migrations").returncode == 0
        configuration = self.folder / "alembic.ini"
        address = f"sqlalchemy.url = {os.environ['DATABASE_URL']}"
        changed = re.sub(
            r"^sqlalchemy\.url = .*$", address, configuration.read_text(), flags=re.MULTILINE
        )
        configuration.write_text(changed)

    def _python(self, code):
        if printed := self.typed.python(code):
            self.printed.append([printed, None])

    def _text(self, code):
        if code.startswith("E"):
            self.printed.append([forgetful(), code])
        else:
            self.printed[-1][1] = code

    def _html(self, code):
        self.typed.file(code)

    def _json(self, code):
        self.messages += map(json.loads, code.splitlines())

    def _js(self, code):
        script = (ROOT / "src" / "efface" / "page" / "static" / "efface.js").read_text()
        assert code in script

    def _console(self, code):
        if "alembic" in code.split():
            assert code == "$ alembic upgrade head\n"
            done = self.alembic("upgrade", "head")
            assert done.returncode == 0, done.stderr
        elif not code.startswith("$ pip install "):
            assert code == "$ DEV=1 uvicorn club.app:app\n"
            self.story = leave(self.typed.modules["club.app"], self.messages[0])
        else:
            assert code.splitlines()[1:] == ['$ pip install "efface[asgi,alembic]"']
            assert code.startswith("$ pip install fastapi ")  # test_installs.py reads these lines


def forgetful():
    """What the second step says where the mark on the name was forgotten."""
    code = next(code for _, code in blocks(TUTORIAL) if code.startswith("# club/models.py"))
    mark = "name: Mapped[str | None] = mapped_column(personal(Clear()))"
    assert mark in code
    with pytest.MonkeyPatch.context() as monkeypatch:
        site = Written(None, monkeypatch, "club")
        site.python(code.replace(mark, "name: Mapped[str | None]"))
        problems = check(site.modules["club.models"].policy)
    with pytest.raises(IncompletePolicyError) as stopped:
        raise_problems(problems)
    return f"{stopped.value}\n"


def leave(site, message):
    """Ada leaves through the real server, with a laptop and a phone."""
    socket = bind("127.0.0.1", 0)
    address = f"http://127.0.0.1:{socket.getsockname()[1]}"
    with (
        serving(site.app, socket) as server,
        closing(Browser(address)) as laptop,
        closing(Browser(address)) as phone,
    ):
        for device in (laptop, phone):
            assert device.log_in(ADA_EMAIL, PASSWORD).status_code == 303
        section = laptop.open("/users/settings").text
        with laptop.socket() as here, phone.socket() as there:
            members = here.push("count_members")
            here.wire.send(json.dumps(message))
            heard = [here.hear(), here.hear()]
            heard_on_the_phone = there.hear()
        log_out = laptop.script("DELETE", "/users/log_out")
        start = laptop.open("/").text
        server.wait_for(site.closing.wait_finalized())
        return SimpleNamespace(
            section=section,
            members=members,
            heard=heard,
            heard_on_the_phone=heard_on_the_phone,
            log_out=log_out.status_code,
            start=start,
            phone_is_signed_in=phone.is_signed_in,
            refused=phone.log_in(ADA_EMAIL, PASSWORD).status_code,
        )


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader at the end of the page."""
    folder = tmp_path_factory.mktemp("club")
    environment = {
        "DATABASE_URL": f"sqlite:///{folder}/club.db",
        "EFFACE_SECRET": "a key of sixteen bytes or more",
        "SESSION_SECRET": "a secret",
        "DEV": "1",
    }
    with at(folder, **environment) as monkeypatch:
        reader = Reader(folder, monkeypatch)
        reader.read()
        yield reader
        reader.typed.modules["club.database"].engine.dispose()


@pytest.mark.tutorial("T06")
def test_the_tutorial_prints_what_it_says(reader):
    assert len(reader.printed) == 4
    for printed, said in reader.printed:
        assert without_chance(printed) == without_chance(said)


@pytest.mark.tutorial("T06")
def test_at_the_end_of_the_tutorial_one_can_leave(reader):
    story = reader.story

    assert "Delete account" in story.section
    assert "tax law" in story.section
    assert story.members == {"ack": 1, "status": "ok", "payload": {"members": 2}}
    assert story.heard == reader.messages[1:]
    assert story.heard_on_the_phone == reader.messages[-1]
    assert story.log_out == 204
    assert "You have been logged out. Goodbye!" in story.start
    assert "Beans for everybody. — a former member (a former member)" in story.start
    assert not story.phone_is_signed_in
    assert story.refused == 422


@pytest.mark.tutorial("T06")
def test_nothing_is_undecided_in_the_tutorial_and_nothing_worth_a_warning(reader):
    assert reader.typed.modules["club.database"].eraser.check() == ()


@pytest.mark.tutorial("T06")
def test_the_way_back_is_refused_once_somebody_has_left(reader):
    refused = reader.alembic("downgrade", "base")

    assert refused.returncode != 0
    assert "ClosedAccountsError" in refused.stderr


def test_the_table_cites_tests_that_exist():
    table = TUTORIAL.read_text().partition("## Compare with the original tutorial")[2]
    files = (ROOT / "tests" / "tutorial").glob("test_*.py")
    tests = "".join(path.read_text() for path in files)

    cited = re.findall(r"T\d\d[ab]?", table)

    assert len(cited) > 20
    assert [name for name in cited if f'"{name}"' not in tests] == []
