"""The commands, before anything is installed: which Python, which tool, when to install again."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import run
from tests.support.paths import ROOT


def executable(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def only_path(tmp_path, monkeypatch):
    """A folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_a_python_on_path_that_does_not_run_is_passed_over(only_path):
    """Version managers leave a shim behind for each version that was ever there."""
    shim = executable(only_path / "python3.13", "exit 127")
    works = executable(only_path / "python3.12", f'exec {sys.executable} "$@"')

    found = dict(run.find_pythons())

    assert shim not in found
    assert found[works] == sys.version_info[:2]


def test_a_python_that_is_too_old_is_passed_over(only_path):
    old = executable(only_path / "python3", "echo 3 9")

    assert run.version_of(old) == (3, 9)
    assert old not in dict(run.find_pythons())


def test_where_venv_is_missing_the_tools_on_path_make_the_folder(only_path):
    bare = executable(
        only_path / "python3",
        f'case "$*" in *ensurepip*|*virtualenv*) exit 1;; *) exec {sys.executable} "$@";; esac',
    )
    executable(only_path / "uv", "exit 0")

    (way,) = run.ways_to_make_venv(bare)

    assert way == ["uv", "venv", "--seed", "--python", bare, run.VENV]


def test_where_nothing_can_make_the_folder_there_is_no_way(only_path):
    bare = executable(only_path / "python3", "exit 1")

    assert run.ways_to_make_venv(bare) == []


@pytest.fixture
def pyenv(only_path):
    """A pyenv that keeps Python 1.2.10, which says that it is this one, and nothing else."""
    prefix = only_path.parent / "1.2.10"
    (prefix / "bin").mkdir(parents=True)
    version = "{}.{}".format(*sys.version_info)
    python = executable(prefix / "bin" / f"python{version}", f'exec {sys.executable} "$@"')
    executable(
        only_path / "pyenv",
        f'case "$*" in "whence python{version}") echo 1.2.10;; "prefix 1.2.10") echo {prefix};; '
        "*) exit 1;; esac",
    )
    return python


def test_a_python_that_pyenv_keeps_is_found_though_its_shim_does_not_run(only_path, pyenv):
    shim = executable(only_path / Path(pyenv).name, "exit 127")

    found = dict(run.find_pythons(sys.version_info[:2]))

    assert pyenv in found
    assert shim not in found


def test_where_one_version_is_asked_for_no_other_one_will_do(pyenv):
    assert run.find_pythons((3, 99)) == []
    assert pyenv in dict(run.find_pythons())


@pytest.mark.parametrize(("required", "status"), [([], 0), (["python3.99"], 1)])
def test_a_python_that_is_not_here_is_a_sentence_or_a_failure_where_it_is_required(
    only_path, monkeypatch, capsys, required, status
):
    monkeypatch.setattr(run, "PYTHONS", {"test-3.99": (3, 99)})
    monkeypatch.setattr(run, "REQUIRED", required)

    assert run.test_pythons([]) == status
    assert capsys.readouterr().out == "Not tested: python3.99 is neither on PATH nor with pyenv.\n"


def test_the_python_in_use_is_left_to_the_tests_that_run_on_it(monkeypatch, capsys):
    monkeypatch.setattr(run, "VENV_PYTHON", sys.executable)
    monkeypatch.setattr(run, "PYTHONS", {"test-here": sys.version_info[:2]})

    assert run.test_pythons([]) == 0
    assert "is the one in use" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stamped", "asked", "installs"),
    [
        (["alembic", "asgi", "cli", "demo", "dev"], "demo", False),
        (["alembic", "asgi", "cli", "demo", "dev"], "lint", False),
        (["alembic", "asgi", "cli", "demo"], "test", True),
    ],
)
def test_what_was_installed_for_more_is_not_installed_for_less(
    tmp_path, monkeypatch, stamped, asked, installs
):
    stamp = tmp_path / "stamp.json"
    key = run.key_of(run.version_of(run.VENV_PYTHON))
    stamp.write_text(json.dumps({"key": key, "extras": stamped}))
    monkeypatch.setattr(run, "STAMP", str(stamp))

    missing = run.EXTRAS[asked] - run.stamped(key)

    assert bool(missing) is installs
    assert run.stamped("another version of Python, or of the files") == set()


def test_half_a_stamp_counts_as_none(tmp_path, monkeypatch):
    stamp = tmp_path / "stamp.json"
    stamp.write_text('{"key": "')
    monkeypatch.setattr(run, "STAMP", str(stamp))

    assert run.stamped("any") == set()


def test_make_has_every_command_by_its_name():
    """A single Python is for run.py: `python3 run.py test-3.12`."""
    (line,) = re.findall(r"^COMMANDS = (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert set(line.split()) == run.RUNS.keys() - run.PYTHONS.keys() | {"test-pythons"}


@pytest.mark.slow
def test_without_a_network_one_sentence_says_so_and_no_stamp_is_left(tmp_path):
    for name in ("run.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    # Port 9 discards; nothing listens there, and no request leaves the machine.
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "1", "PIP_NO_CACHE_DIR": "1"}
    env = {**os.environ, **offline, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}

    done = subprocess.run(
        [sys.executable, "run.py", "demo"],
        cwd=tmp_path,
        env=env,
        text=True,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 1
    assert "the package index did not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".venv" / "efface-stamp.json").exists()
