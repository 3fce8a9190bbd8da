"""What a site's loggers say, kept so that a test can read it."""

import logging
from contextlib import contextmanager

# What the test's own browser says of its requests is not the site's.
CLIENTS = {"httpx", "httpcore", "websockets"}
SERVER = ("uvicorn", "uvicorn.access")


class Log(logging.Handler):
    """Keeps every record of the site as text."""

    def __init__(self):
        super().__init__()
        self._lines = []

    def emit(self, record):
        if record.name.split(".")[0] not in CLIENTS:
            self._lines.append(self.format(record))

    @property
    def text(self):
        """All that was said, line by line."""
        return "\n".join(self._lines)

    def hear_server(self, level):
        """Listen to uvicorn too, which keeps its records to itself once it has started."""
        for name in SERVER:
            logging.getLogger(name).addHandler(self)
            logging.getLogger(name).setLevel(level)


@contextmanager
def listening(level):
    """Keep what is said from *level* on, SQL included where that is low enough.

    Begin before an engine is made: it asks its logger once.
    """
    log, root, sql = Log(), logging.getLogger(), logging.getLogger("sqlalchemy.engine")
    before = root.level, sql.level
    root.addHandler(log)
    root.setLevel(min(level, root.level))
    sql.setLevel(max(level, logging.INFO))
    try:
        yield log
    finally:
        root.setLevel(before[0])
        sql.setLevel(before[1])
        for name in ("", *SERVER):
            logging.getLogger(name).removeHandler(log)
