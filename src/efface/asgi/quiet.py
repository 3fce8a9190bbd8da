"""HOST · Report an exception in the log without quoting it."""

from __future__ import annotations

from efface.page.quiet import reporter

report = reporter("efface.asgi")
