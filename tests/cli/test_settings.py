"""Where commands find eraser, models and database; how they end; what they need."""

import re
import subprocess
import sys
import tomllib
from datetime import date
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Uuid
from sqlalchemy.types import Date, LargeBinary, Numeric, String
from typer.main import get_command

from efface import Policy, data_subject
from efface.cli import main
from efface.cli.app import app
from efface.cli.configuration import KNOWN
from efface.cli.primary_key_argument import parse_primary_key
from efface.console.exit_status import Status, find_status
from efface.errors import EffaceError, SubjectKeyError
from tests.cli.conftest import ERASER
from tests.support.paths import DOCS

REFERENCE = DOCS / "reference" / "cli.md"
ACCOUNTS = """
from tests.support.schemas import forum
from tests.support.schemas.forum import Base
eraser = forum.eraser()
make = forum.eraser
not_one = object()
"""


@pytest.fixture
def project(efface):
    """A project with a module of accounts; write what stands in its pyproject.toml."""
    (efface.project / "cli_accounts.py").write_text(ACCOUNTS)

    def write(text):
        (efface.project / "pyproject.toml").write_text(text)

    return write


# ---------------------------------------------------------------- settings


def test_eraser_and_database_are_found_in_pyproject(efface, project, database, monkeypatch):
    monkeypatch.setenv("FORUM_DATABASE", database)
    project('[tool.efface]\neraser = "cli_accounts:eraser"\ndatabase = "env:FORUM_DATABASE"\n')

    assert efface("plan", 1).stdout.startswith("Closing users 1")


def test_they_are_found_from_a_folder_inside_the_project(efface, project, database, monkeypatch):
    project(f'[tool.efface]\neraser = "cli_accounts:make"\ndatabase = "{database}"\n')
    inside = efface.project / "deep" / "er"
    inside.mkdir(parents=True)
    (inside / "pyproject.toml").write_text("[project]\n")
    monkeypatch.chdir(inside)

    assert efface("plan", 1).exit_code == 0


def test_an_option_counts_more_than_the_settings(efface, project, database):
    project('[tool.efface]\neraser = "nowhere:eraser"\ndatabase = "sqlite:///nowhere.db"\n')

    assert efface("plan", 1, "--eraser", ERASER, "--database", database).exit_code == 0


def test_models_and_policy_file_are_found_relative_to_the_project(efface, project, monkeypatch):
    project('[tool.efface]\nmodels = "cli_accounts:Base"\npolicy = "efface.toml"\n')
    (efface.project / "efface.toml").write_text("[tables.poets]\n")
    inside = efface.project / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)

    result = efface("check")

    assert result.exit_code == 1
    assert "Did you mean posts?" in result.stderr


def test_draft_uses_the_database_of_the_settings(efface, project, database):
    project(f'[tool.efface]\ndatabase = "{database}"\n')

    assert "[tables.users" in efface("draft").stdout


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('erasr = "x:y"', "Did you mean eraser?"),
        ("eraser = 5", "text in quotation marks"),
        ('eraser = "cli_accounts"', "module:name"),
        ('eraser = "cli_accounts:not_one"', "is neither an Eraser"),
        ('eraser = "cli_accounts:earser"', "Did you mean eraser?"),
        ('eraser = "cli_acounts:eraser"', "Python finds no module cli_acounts"),
        ('database = "sqlite:///x.db"', "No eraser is named"),
        ("", "[tool.efface]"),
    ],
)
def test_settings_that_lead_nowhere_say_what_to_write(efface, project, settings, says):
    project(f"[tool.efface]\n{settings}\n")

    result = efface("plan", 1)

    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("env:NOT_SET_ANYWHERE", "The variable NOT_SET_ANYWHERE is not set."),
        ("secret:/x", "SQLAlchemy does not know this database URL"),
        ("unheard+of://u:secret@host/x", "SQLAlchemy does not know this database URL"),
        ("oracle://u:secret@host/x", "is not installed"),
        ("sqlite:///secret.db", "does not exist"),
    ],
)
def test_a_database_that_cannot_be_named_is_wrong_usage_and_shows_no_password(efface, named, says):
    result = efface("closed", "--database", named)

    assert result.exit_code == 2
    assert says in result.stderr
    assert "secret" not in result.stderr
    assert not Path("secret.db").exists()


def test_a_missing_driver_that_an_extra_brings_is_named_with_the_line_to_paste(efface, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    result = efface("closed", "--database", "postgresql+psycopg://u:secret@host/x")

    assert result.exit_code == 2
    assert 'not installed. Install it: pip install "efface[postgresql]"' in " ".join(
        result.stderr.split()
    )


def test_a_database_that_is_gone_shows_no_password(efface):
    url = "postgresql+psycopg://ada:secret@127.0.0.1:1/forum"

    result = efface("closed", "--database", url)

    assert result.exit_code == 3
    assert "OperationalError" in result.stderr
    assert "secret" not in result.stderr
    assert "ada" not in result.stderr


def test_no_database_says_how_to_name_one(efface):
    result = efface("closed")

    assert result.exit_code == 2
    assert "--database URL" in result.stderr


def test_half_a_pyproject_is_wrong_usage_with_its_line(efface, project):
    project("[tool.efface]\neraser = \n")

    result = efface("closed")

    assert result.exit_code == 2
    assert "line 2" in result.stderr


def test_models_that_are_none_are_wrong_usage(efface, project):
    project("")

    result = efface("check", "--models", "cli_accounts:not_one")

    assert result.exit_code == 2
    assert "neither a declarative base nor a MetaData" in result.stderr


# ---------------------------------------------------------------- keys


def people(*types):
    metadata = MetaData()
    columns = [Column(f"k{i}", type_, primary_key=True) for i, type_ in enumerate(types)]
    Table("people", metadata, *columns, data_subject())
    return Policy.from_metadata(metadata)


@pytest.mark.parametrize(
    ("types", "typed", "key"),
    [
        ([Integer], ["42"], 42),
        ([String], ["42"], "42"),
        ([Uuid], ["00000000-0000-0000-0000-000000000007"], UUID(int=7)),
        ([Numeric], ["1.50"], Decimal("1.50")),
        ([Date], ["2026-01-31"], date(2026, 1, 31)),
        ([LargeBinary], ["00ff"], b"\x00\xff"),
        ([Integer, String], ["1", "b"], (1, "b")),
    ],
)
def test_a_key_becomes_what_the_column_holds(types, typed, key):
    assert parse_primary_key(people(*types), typed) == key


@pytest.mark.parametrize(
    ("types", "typed"),
    [([Integer], ["x"]), ([Uuid], ["x"]), ([Numeric], ["x"]), ([Integer], []), ([Date], ["1"])],
)
def test_a_key_that_the_column_cannot_hold_is_refused(types, typed):
    with pytest.raises(SubjectKeyError):
        parse_primary_key(people(*types), typed)


# ---------------------------------------------------------------- exit statuses, reference


def every_error():
    classes = [EffaceError]
    for cls in classes:
        classes += cls.__subclasses__()
    return classes[1:]


def rows_of(heading):
    """The rows of the table under *heading* of the reference, as lists of cells."""
    _, _, rest = REFERENCE.read_text(encoding="utf-8").partition(f"## {heading}\n")
    section = rest.partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_exit_status_is_documented_with_its_errors():
    documented = {int(status): set(re.findall(r"[EW]\d{3}", codes))
                  for status, _, codes in rows_of("Exit statuses")}  # fmt: skip

    expected = {int(status): set() for status in Status}
    for cls in every_error():
        expected[int(find_status(cls.__new__(cls)))].add(cls.code)

    assert documented == expected


def test_every_command_and_option_is_documented():
    documented = {command.strip("`").split()[1]: set(re.findall(r"--[a-z-]+", options))
                  for command, _, options in rows_of("Commands")}  # fmt: skip

    commands = {
        name: {option for each in command.params for option in each.opts if option[0] == "-"}
        for name, command in get_command(app).commands.items()
    }

    assert documented == commands


def test_every_setting_is_documented():
    assert sorted(setting.strip("`") for setting, _ in rows_of("Settings")) == sorted(KNOWN)


def test_every_warning_is_documented():
    expected = {*(f"W10{n}" for n in range(1, 7)), "W108", "W109", "W110"}
    assert {code for code, _ in rows_of("Warnings")} == expected


# ---------------------------------------------------------------- what it needs


def test_without_its_packages_the_command_says_how_to_install_them():
    code = "import sys; sys.modules['typer'] = None; from efface.cli import main; main()"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert 'pip install "efface[cli]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_of_the_application_that_is_missing_is_not_taken_for_ours(efface):
    (efface.project / "broken_app.py").write_text("import not_there_at_all\n")

    result = efface("plan", 1, "--eraser", "broken_app:eraser")

    assert result.exit_code == 2
    assert (
        "Python finds no module not_there_at_all, which broken_app:eraser needs." in result.stderr
    )


def test_the_command_is_installed_under_its_name():
    project = tomllib.loads((REFERENCE.parents[2] / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"]["efface"].partition(":")

    assert getattr(import_module(module), name) is main


def test_tracebacks_never_show_local_variables():
    """They would hold the identifiers that somebody is searching for."""
    assert app.pretty_exceptions_enable is False
