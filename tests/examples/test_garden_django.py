"""The garden on Django: the same behavior over HTTP, in a server of its own."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from garden.community import PASSWORD, member_email
from garden.devices import Device

pytestmark = [pytest.mark.slow]

ROOT = Path(__file__).parents[2]
CLOSE = "/users/settings/close"
RIGHT = {"current_password": PASSWORD, "confirm": "yes"}
LINK = re.compile(r"http://[^/]+(/\S+)")
# Whom the tests play with; nobody organizes a group.
MEMBERS = iter(range(10, 200))
SERVER = """
from garden.server import bind, serving
from garden_django.asgi import application
from garden_django.backstage import prepare
prepare()
bound = bind("127.0.0.1", 0)
with serving(application, bound) as server:
    print("port", bound.getsockname()[1], flush=True)
    server.thread.join()
"""


@pytest.fixture(scope="module")
def garden(tmp_path_factory):
    file = tmp_path_factory.mktemp("garden") / "garden.db"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "examples"), str(ROOT / "src")]),
        "GARDEN_DEV": "1",
        "GARDEN_DATABASE_URL": f"sqlite:///{file}",
        "DJANGO_SETTINGS_MODULE": "garden_django.settings",
    }
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        port = next(line.split()[1] for line in server.stdout if line.startswith("port "))
        with ExitStack() as desk:
            yield Garden(f"http://127.0.0.1:{port}", file, desk)
        server.terminate()


class Garden:
    def __init__(self, address, file, desk):
        self.address, self.file, self._desk = address, file, desk

    def member(self):
        return next(MEMBERS)

    def device(self, member=None, **fields):
        device = self._desk.enter_context(closing(Device(self.address)))
        if member is not None:
            device.log_in(member_email(member), PASSWORD, **fields)
            device.open("/users/settings")
        return device

    def leave(self, member):
        return self.device(member).send(CLOSE, **RIGHT)

    def rows(self, query, *values):
        connection = sqlite3.connect(self.file)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def user(self, member):
        columns = "email, name, hashed_password, confirmed_at, deleted_at"
        return self.rows(f"SELECT {columns} FROM users WHERE id = ?", member)[0]

    def sessions(self, member):
        return self.rows("SELECT count(*) FROM users_tokens WHERE user_id = ?", member)[0][0]

    def mails(self, address):
        mails = self.device().open("/dev/mailbox.json").json()
        return [mail["text"] for mail in mails if mail["to"] == address]

    def link(self, address):
        """Return the path in the latest mail; it is sent after the answer, so we ask until then."""
        while not (mails := self.mails(address)):
            pass
        return LINK.search(mails[-1])[1]


def is_signed_out(device):
    answer = device.open("/users/settings")
    return answer.is_redirect and answer.headers["location"].startswith("/users/log_in")


@pytest.mark.cases("CLO-01")
def test_closing_leaves_a_row_that_names_nobody(garden):
    member = garden.member()

    garden.leave(member)

    email, name, password, confirmed_at, deleted_at = garden.user(member)
    assert email.endswith("@users.invalid")
    assert len(email) <= 160
    assert (name, password, confirmed_at) == (None, None, None)
    assert deleted_at
    assert garden.sessions(member) == 0


@pytest.mark.cases("CLO-03", "CLO-13")
def test_of_two_closings_at_once_one_closes(garden):
    member = garden.member()
    devices = [garden.device(member), garden.device(member)]
    before = garden.rows("SELECT count(*) FROM efface_closings")[0][0]

    with ThreadPoolExecutor(2) as beside:
        answers = list(beside.map(lambda device: device.send(CLOSE, **RIGHT), devices))

    assert [answer.status_code for answer in answers] == [303, 303]
    assert garden.rows("SELECT count(*) FROM efface_closings")[0][0] == before + 1


@pytest.mark.cases("CLO-09")
def test_without_a_script_the_form_leads_to_the_start_page(garden):
    laptop = garden.device(garden.member())

    answer = laptop.send(CLOSE, **RIGHT)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "remember" not in laptop.cookie
    assert "Your account is closed" in laptop.open("/").text
    assert "Your account is closed" not in laptop.open("/").text


@pytest.mark.cases("CLO-08")
def test_other_devices_are_signed_out_and_lose_their_cookies(garden):
    member = garden.member()
    phone = garden.device(member, remember_me="true")

    garden.leave(member)

    assert is_signed_out(phone)
    assert "remember" not in phone.cookie
    assert "users.invalid" not in phone.open("/members").text


@pytest.mark.cases("CLO-10")
@pytest.mark.parametrize("fields", [{"current_password": "wrong"}, {"confirm": "no"}])
def test_without_proof_and_consent_nobody_leaves(garden, fields):
    member = garden.member()

    answer = garden.device(member).send(CLOSE, **{**RIGHT, **fields})

    assert answer.status_code == 422
    assert garden.user(member)[0] == member_email(member)


@pytest.mark.cases("CLO-15")
def test_logging_out_after_closing_works(garden):
    laptop = garden.device(garden.member())
    laptop.send(CLOSE, **RIGHT)

    laptop.open("/")
    answer = laptop.http.delete("/users/log_out", headers={"X-CSRF-Token": laptop.token})

    assert answer.status_code == 204


@pytest.mark.cases("CSR-01", "CSR-02")
def test_a_form_needs_a_token_in_a_field_or_a_header(garden):
    member = garden.member()
    laptop = garden.device(member)

    refused = [laptop.http.post(CLOSE, data=RIGHT)]
    refused.append(laptop.http.post(CLOSE, data={**RIGHT, "_csrf_token": "garbage"}))
    still_in = not is_signed_out(laptop)
    first = laptop.token
    laptop.open("/users/settings")
    accepted = laptop.http.post(CLOSE, data=RIGHT, headers={"X-CSRF-Token": first})

    assert [answer.status_code for answer in refused] == [403, 403]
    assert still_in
    assert first != laptop.token
    assert accepted.status_code == 303


@pytest.mark.cases("XCL-02")
def test_neither_address_logs_in_again(garden):
    member = garden.member()
    garden.leave(member)

    unknown = garden.device().log_in("nobody@nowhere.example", PASSWORD)
    old = garden.device().log_in(member_email(member), PASSWORD)
    placeholder = garden.device().log_in(garden.user(member)[0], PASSWORD)

    assert {unknown.status_code, old.status_code, placeholder.status_code} == {422}
    assert "The address or the password is not right." in old.text


@pytest.mark.cases("XCL-03", "XCL-05")
def test_links_from_before_the_closing_are_as_good_as_garbage(garden):
    member, stranger = garden.member(), garden.device()
    address = member_email(member)
    stranger.open("/users/reset_password")
    stranger.send("/users/reset_password", email=address)
    link = garden.link(address)
    garden.leave(member)

    answers = [stranger.open(path) for path in (link, "/users/reset_password/garbage")]
    stranger.open("/users/reset_password")
    stranger.send("/users/reset_password", email=address)

    assert {(each.status_code, each.headers["location"]) for each in answers} == {(303, "/")}
    assert [link in mail for mail in garden.mails(address)] == [True, False]


@pytest.mark.cases("RST-02")
def test_a_reset_sets_the_password_and_ends_every_log_in(garden):
    member, stranger = garden.member(), garden.device()
    laptop, address = garden.device(member), member_email(member)
    stranger.open("/users/reset_password")
    stranger.send("/users/reset_password", email=address)
    link, new = garden.link(address), "peas and runner beans"

    stranger.open(link)
    answer = stranger.send(link, password=new, password_confirmation=new)

    assert answer.headers["location"] == "/users/log_in"
    assert is_signed_out(laptop)
    assert stranger.open(link).headers["location"] == "/"
    assert stranger.log_in(address, new).is_redirect


@pytest.mark.cases("RST-03", "RST-04")
def test_a_reset_with_two_passwords_changes_nothing_and_its_link_stays(garden):
    member, stranger = garden.member(), garden.device()
    stranger.open("/users/reset_password")
    stranger.send("/users/reset_password", email=member_email(member))
    link = garden.link(member_email(member))

    answers = []
    for password, again in (("short", "short"), ("peas and runner beans", "something else")):
        stranger.open(link)
        answers.append(stranger.send(link, password=password, password_confirmation=again))
    garbage = stranger.open("/users/reset_password/garbage")

    assert [answer.status_code for answer in answers] == [422, 422]
    assert "should be at least 12 characters" in answers[0].text
    assert "does not match password" in answers[1].text
    assert stranger.open(link).status_code == 200
    assert garden.device().log_in(member_email(member), PASSWORD).is_redirect
    assert garbage.is_redirect


@pytest.mark.cases("REG-02")
def test_a_wrong_form_is_shown_again_without_the_password(garden):
    stranger = garden.device()
    stranger.open("/users/register")

    answer = stranger.send("/users/register", email="not an address", password="beans runne")

    assert answer.status_code == 422
    assert 'id="email-error"' in answer.text
    assert 'id="password-error"' in answer.text
    assert "beans runne" not in answer.text


@pytest.mark.cases("REG-04")
def test_an_address_is_taken_in_upper_case_too(garden):
    address = member_email(garden.member())

    for email in (address, address.upper()):
        stranger = garden.device()
        stranger.open("/users/register")
        answer = stranger.send(
            "/users/register", email=email, password=PASSWORD, password_confirmation=PASSWORD
        )
        assert answer.status_code == 422
        assert "has already been taken" in answer.text


def test_who_joins_confirms_changes_the_address_and_leaves(garden):
    laptop, old, new = garden.device(), "new@member.example", "newer@member.example"
    laptop.open("/users/register")
    joined = laptop.send(
        "/users/register", email=old, password=PASSWORD, password_confirmation=PASSWORD
    )
    link = garden.link(old)
    laptop.open(link)
    laptop.send(link)
    laptop.open("/users/settings")
    laptop.send("/users/settings", action="update_email", email=new, current_password=PASSWORD)
    changed = laptop.open(garden.link(new))
    page = laptop.open("/users/settings").text

    answer = laptop.send(CLOSE, **RIGHT)

    assert joined.headers["location"] == "/"
    assert changed.is_redirect
    assert "Your address is changed." in page
    assert answer.status_code == 303
    rows = json.dumps(garden.rows("SELECT * FROM users"))
    assert old not in rows
    assert new not in rows


def test_a_stranger_who_joined_with_an_address_gets_no_further_than_its_owner(garden):
    """The owner confirms elsewhere: the stranger's password and log-in are worth nothing."""
    stranger, owner, address = garden.device(), garden.device(), "owner@member.example"
    stranger.open("/users/register")
    stranger.send(
        "/users/register", email=address, password=PASSWORD, password_confirmation=PASSWORD
    )
    link = garden.link(address)

    owner.open(link)
    owner.send(link)

    assert is_signed_out(stranger)
    assert garden.device().log_in(address, PASSWORD).status_code == 422


@pytest.mark.cases("XCL-01")
def test_members_lists_who_is_there(garden):
    member = garden.member()
    before = garden.device().open("/members").text

    garden.leave(member)

    after = garden.device().open("/members").text
    count = int(re.search(r"(\d+) members", before)[1])
    assert f"{count - 1} members" in after


def test_the_last_organizer_names_another_one_first(garden):
    grace = garden.device()
    grace.log_in("grace@hopper.example", PASSWORD)
    page = grace.open(CLOSE).text
    refused = grace.send(CLOSE, **RIGHT)
    grace.open("/groups/1")
    grace.send("/groups/1/organizers", member="3")
    grace.open(CLOSE)

    accepted = grace.send(CLOSE, **RIGHT)

    assert "You are the last organizer of Herb spiral." in page
    assert refused.status_code == 409
    assert accepted.status_code == 303


def test_the_demo_tells_its_story():
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "examples"), str(ROOT / "src")]),
        "ONCE": "1",
        "PORT": "0",
    }
    done = subprocess.run(
        [sys.executable, "-m", "garden_django.demo"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ada Lovelace left on" in done.stdout
