"""Keep the secrets of links out of the server's access log, which names every path."""

import logging
import re

SECRET = re.compile(r"[A-Za-z0-9_-]{43,}")


class WithoutSecrets(logging.Filter):
    """Writes a dot in place of everything that looks like a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, without secrets."""
        if isinstance(record.args, tuple):
            record.args = tuple(_without(value) for value in record.args)
        return True


_FILTER = WithoutSecrets()


def hide_secrets() -> None:
    """Let uvicorn's access log name no link; calling it again changes nothing."""
    logging.getLogger("uvicorn.access").addFilter(_FILTER)


def _without(value: object) -> object:
    return SECRET.sub("·", value) if isinstance(value, str) else value
