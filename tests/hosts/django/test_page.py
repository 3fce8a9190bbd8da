"""The page on Django: its files make a project, and its code runs in it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```python\n(?:# (\S+\.py)\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)
START = """
import django
from django.core.management import call_command

django.setup()
call_command("check")
call_command("makemigrations", verbosity=0)
call_command("migrate", verbosity=0)
"""


@pytest.mark.slow
def test_the_project_of_the_page_closes_an_account(tmp_path):
    code = START
    for name, block in BLOCK.findall((ROOT / "docs" / "how-to" / "django.md").read_text()):
        if name:
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(block)
        else:
            code += block
    (tmp_path / "town" / "__init__.py").touch()
    (tmp_path / "town" / "migrations").mkdir()
    (tmp_path / "town" / "migrations" / "__init__.py").touch()
    (tmp_path / "page.py").write_text(code)

    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "town.settings",
            "SECRET_KEY": "a key of the project, for tests alone",
            "EFFACE_KEY": "a key for the tests alone",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "town_post" in done.stdout
