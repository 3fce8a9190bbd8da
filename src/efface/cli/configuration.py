"""Find the eraser, models and database of a command, from options or from ``[tool.efface]``."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from efface.eraser.eraser import Eraser
from efface.errors import SettingsError, UnreadableFileError
from efface.policy.did_you_mean import did_you_mean

KNOWN = ("database", "eraser", "models", "policy")
EXAMPLE = """

      [tool.efface]
      eraser = "myapp.accounts:eraser"
      database = "env:DATABASE_URL"
"""

EraserOption = Annotated[
    str | None,
    typer.Option(
        "--eraser", metavar="MODULE:NAME", help="The eraser, or a function that makes it."
    ),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help='The database; "env:NAME" reads a variable.'),
]
ModelsOption = Annotated[
    str | None,
    typer.Option("--models", metavar="MODULE:NAME", help="A declarative base or a MetaData."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
KeyArgument = Annotated[
    list[str],
    typer.Argument(metavar="PK...", help="The user's primary key, part by part."),
]


@dataclass(frozen=True)
class Settings:
    """The settings in ``[tool.efface]`` of the nearest pyproject.toml that has it."""

    folder: Path
    values: Mapping[str, str]

    @classmethod
    def find(cls, start: Path | None = None) -> Settings:
        """Return the settings for the folder *start*, by default the current folder.

        Raises:
            SettingsError: a key is unknown, or its value is not a string.
            UnreadableFileError: the file is not TOML.
        """
        here = start or Path.cwd()
        for folder in (here, *here.parents):
            path = folder / "pyproject.toml"
            if path.is_file():
                section = _read_section(path)
                if section is not None:
                    return cls(folder, section)
        return cls(here, {})

    def eraser(self, option: str | None) -> Eraser:
        """Return the eraser that *option* or the settings name.

        Raises:
            SettingsError: neither names one, or the named object is not an eraser.
        """
        name = option or self.values.get("eraser")
        if name is None:
            raise SettingsError(
                f"No eraser is named. Use --eraser module:name, or in pyproject.toml:{EXAMPLE}"
            )
        found = self.object(name)
        if not isinstance(found, Eraser) and callable(found):
            found = found()
        if not isinstance(found, Eraser):
            raise SettingsError(f"{name} is neither an Eraser nor a function that makes one.")
        return found

    def metadata(self, option: str | None) -> MetaData | None:
        """Return the MetaData that *option* or the settings name, or None if neither does.

        Raises:
            SettingsError: the named object is neither a declarative base nor a MetaData.
        """
        name = option or self.values.get("models")
        if name is None:
            return None
        found = self.object(name)
        metadata = getattr(found, "metadata", found)
        if not isinstance(metadata, MetaData):
            raise SettingsError(f"{name} is neither a declarative base nor a MetaData.")
        return metadata

    @contextmanager
    def engine(self, option: str | None) -> Iterator[Engine]:
        """Yield an engine for the database that *option* or the settings name, then dispose of it.

        Raises:
            SettingsError: neither names one, or the name is not a usable URL.
        """
        name = option or self.values.get("database")
        if name is None:
            raise SettingsError(
                f"No database is named. Use --database URL, or in pyproject.toml:{EXAMPLE}"
            )
        # So the password need not be in pyproject.toml or on the command line.
        if name.startswith("env:"):
            variable = name.removeprefix("env:")
            name = os.environ.get(variable, "")
            if not name:
                raise SettingsError(
                    f"The variable {variable} is not set. "
                    f"Set it to the URL of the database: export {variable}=..."
                )
        engine = _make_engine(name)
        try:
            yield engine
        finally:
            engine.dispose()

    def object(self, name: str) -> Any:
        """Return the object that ``module:name`` names.

        Raises:
            SettingsError: the module or the name does not exist.
        """
        # The same form as `uvicorn module:name`.
        module, colon, attribute = name.partition(":")
        if not (module and colon and attribute):
            raise SettingsError(
                f"{name} is not of the form module:name, such as myapp.accounts:eraser."
            )
        # `python -m` does the same. The project need not be installed as a package.
        for folder in (str(Path.cwd()), str(self.folder)):
            if folder not in sys.path:
                sys.path.insert(0, folder)
        try:
            found: Any = import_module(module)
        except ModuleNotFoundError as error:
            missing = error.name or module
            raise SettingsError(f"Python finds no module {missing}, which {name} needs.") from None
        for part in attribute.split("."):
            if not hasattr(found, part):
                hint = did_you_mean(part, [each for each in dir(found) if each[0] != "_"])
                raise SettingsError(f"{module} has no {attribute}.{hint}")
            found = getattr(found, part)
        return found


def _read_section(path: Path) -> dict[str, str] | None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        line = getattr(error, "lineno", None) or _find_line_number(str(error))
        raise UnreadableFileError(str(path), line) from None
    section: dict[str, str] | None = document.get("tool", {}).get("efface")
    for key, value in (section or {}).items():
        if key not in KNOWN:
            hint = did_you_mean(key, KNOWN, listed=len(KNOWN))
            raise SettingsError(f"[tool.efface] has no setting {key}.{hint}")
        if not isinstance(value, str):
            raise SettingsError(
                f"The setting {key} of [tool.efface] must be a text in quotation marks."
            )
    return section


def _find_line_number(text: str) -> int:
    # Before Python 3.14 the error has no `lineno`. Its text ends with "(at line 3, column 5)".
    numbers = [int(word.strip(",)")) for word in text.split() if word.strip(",)").isdigit()]
    return numbers[0] if numbers else 1


def _make_engine(name: str) -> Engine:
    try:
        url = make_url(name)
        path = url.database
        is_file = bool(path) and not str(path).startswith((":", "file:"))
        # SQLite would create an empty database for a misspelled name.
        if url.get_backend_name() == "sqlite" and is_file and not Path(str(path)).exists():
            raise SettingsError("The file of this SQLite database does not exist.")
        return create_engine(url)
    except (ArgumentError, NoSuchModuleError):
        # The text of these errors repeats the URL, and with it the password.
        raise SettingsError(
            "SQLAlchemy does not know this database URL. Write one such as "
            "postgresql+psycopg://user@host/name."
        ) from None
    except ModuleNotFoundError as error:
        extra = ' Install it: pip install "efface[postgresql]"' if error.name == "psycopg" else ""
        raise SettingsError(
            f"The driver {error.name} for this database is not installed.{extra}"
        ) from None
