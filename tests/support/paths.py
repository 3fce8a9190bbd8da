"""Where the repository and its documentation are, whichever folder a test is in."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
