"""The how-to pages about sockets, workers and CSRF: what they show is run."""

from pathlib import Path

from efface.asgi.sealed import Seal
from tests.test_docs import Written, at, block

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"


def test_the_page_on_workers_makes_a_broker(tmp_path):
    key = "a secret of this page alone"
    with at(tmp_path, REDIS_URL="redis://127.0.0.1:1/0", BROKER_KEY=key) as monkeypatch:
        page = Written(tmp_path, monkeypatch)
        page.python(block(HOW_TO / "workers.md", "python"))

    assert page.scratch["broker"].topic(1) == Seal(key.encode()).topic(1)
