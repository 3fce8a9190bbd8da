"""Pages of the documentation: their blocks of code, and a reader who types them."""

import re
import sys
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from types import ModuleType

import pytest

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:# |\{# )([\w/]+\.(?:py|html))(?: #\})?\n")


def blocks(page):
    """Language and text of each block of code, in order."""
    return BLOCK.findall(page.read_text())


def block(page, language):
    """The first block in a language."""
    return next(code for found, code in blocks(page) if found == language)


class Written:
    """What a reader has after typing a page so far: modules, files, and what was printed."""

    def __init__(self, folder, monkeypatch, *packages):
        self.folder, self._monkeypatch = folder, monkeypatch
        self.modules, self.scratch = {}, {"__name__": "scratch"}
        for package in packages:
            self._module(package).__path__ = []

    def python(self, code):
        """Run a block, in the module whose file it names or by itself; return what it prints."""
        named = FILE.match(code)
        if named and named[1].startswith("migrations/"):
            self.file(code)
            return ""
        space = self._module(named[1]).__dict__ if named else self.scratch
        with redirect_stdout(StringIO()) as printed:
            exec(compile(code, named[1] if named else "scratch", "exec"), space)
        return printed.getvalue()

    def file(self, code):
        """Write the file that a block names."""
        path = self.folder / FILE.match(code)[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)

    def _module(self, path):
        name = path.removesuffix(".py").replace("/", ".")
        if name not in self.modules:
            self.modules[name] = module = ModuleType(name)
            self._monkeypatch.setitem(sys.modules, name, module)
            package, _, attribute = name.rpartition(".")
            if package:
                setattr(self.modules[package], attribute, module)
        return self.modules[name]


@contextmanager
def at(folder, **environment):
    """Work in *folder*, with more in the environment."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield monkeypatch
