"""The question of ``manage.py efface close`` on a terminal."""

import json
import os
import signal
import subprocess
from contextlib import suppress

import pytest

ASKED = "Close this account? Deleted values can't be restored. [y/N]: "


def until_asked(process):
    said = ""
    while not said.endswith(ASKED):
        letter = process.stderr.read(1)
        assert letter, said
        said += letter
    return said


@pytest.mark.parametrize("answer", ["y", "YES"])
def test_on_a_terminal_the_plan_is_shown_and_the_account_closed_after_a_yes(site, answer):
    with site.on_a_terminal("efface", "close", 1, "--actor", "ticket 8114") as (process, keyboard):
        asked = until_asked(process)
        assert site.is_open(1)
        os.write(keyboard, f"{answer}\n".encode())
        out, error = process.communicate(timeout=60)

    assert process.returncode == 0, error
    assert asked.startswith("Closing town_person 1 · plan ")
    assert " · ticket 8114" in out
    assert ASKED not in out
    assert not site.is_open(1)


@pytest.mark.slow
def test_any_other_answer_changes_nothing(site):
    for answer in (b"n\n", b"\n", b"yellow\n", b"\x04"):
        with site.on_a_terminal("efface", "close", 1, "--actor", "x") as (process, keyboard):
            until_asked(process)
            os.write(keyboard, answer)
            out, error = process.communicate(timeout=60)

        assert process.returncode == 1, answer
        assert error.strip() == "CommandError: Nothing was changed."
        assert out == ""
        assert site.is_open(1)
        assert site.receipts() == []


@pytest.mark.slow
def test_whoever_breaks_off_at_the_question_changes_nothing(site):
    with site.on_a_terminal("efface", "close", 1, "--actor", "x") as (process, _):
        until_asked(process)
        # A signal that comes a moment before the process waits for the answer wakes nobody.
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
        error = process.stderr.read()

    assert process.returncode == 1
    assert error.strip() == "CommandError: Nothing was changed."
    assert site.is_open(1)


@pytest.mark.slow
def test_on_a_terminal_nobody_is_asked_who_has_said_yes(site):
    with site.on_a_terminal("efface", "close", 1, "--actor", "x", "--yes") as (process, _):
        _, error = process.communicate(timeout=60)

    assert (process.returncode, error) == (0, "")
    assert not site.is_open(1)


@pytest.mark.slow
def test_without_a_terminal_nobody_is_asked(site):
    done = site.ended("efface", "close", 1, "--actor", "x")

    assert (done.returncode, done.stderr) == (0, "")
    assert not site.is_open(1)


@pytest.mark.slow
def test_without_any_input_nobody_is_asked_and_none_is_read(site):
    close = ("efface", "close", 1, "--actor", "x")
    verify = ("efface", "verify", 1, "--identifiers", "-")

    closed, searched = (site.ended(*said, said=None) for said in (close, verify))

    assert (closed.returncode, closed.stderr) == (0, "")
    assert searched.returncode == 2
    assert "The file - can't be read as text." in searched.stderr


@pytest.mark.slow
def test_about_an_account_that_is_closed_nobody_is_asked(site):
    first = site.manage("efface", "close", 1, "--actor", "x", "--json")

    with site.on_a_terminal("efface", "close", 1, "--actor", "y") as (process, _):
        out, error = process.communicate(timeout=60)

    assert (process.returncode, error) == (0, "")
    assert json.loads(first)["reference"] in out
    assert "This account was already closed. Nothing was changed." in out


@pytest.mark.slow
def test_what_changes_while_somebody_is_asked_is_refused(site):
    with site.on_a_terminal("efface", "close", 1, "--actor", "x") as (process, keyboard):
        until_asked(process)
        site.execute("INSERT INTO town_letter (address) VALUES ('ada@example.org')")
        os.write(keyboard, b"y\n")
        _, error = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "E402 StalePlanError" in error
    assert site.is_open(1)
