"""The demo on Django: a fresh garden, the story, and then the garden is yours.

python -m garden_django.demo          PORT=8000 HOST=127.0.0.1 ONCE=1 are optional
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler

from garden.community import ADA, GRACE_EMAIL, MEMBERS, PASSWORD
from garden.demo import USUAL_PORT, say
from garden.story import StoryError


def main() -> int:
    """Run the demo and return its exit status."""
    with TemporaryDirectory(prefix="garden-") as folder:
        os.environ.update(
            GARDEN_DEV="1",
            GARDEN_URL="",
            GARDEN_DATABASE_URL=f"sqlite:///{Path(folder).resolve() / 'garden.db'}",
            DJANGO_SETTINGS_MODULE="garden_django.settings",
        )
        try:
            return run(os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT"))
        except KeyboardInterrupt:
            say("\nGoodbye.")
            return 0


def run(host: str, port: str | None) -> int:
    """Build the garden, tell the story, and serve on unless it is for once only."""
    prepare()
    from django.db import connections  # noqa: PLC0415  # Django is set up now

    from garden_django.story import Story  # noqa: PLC0415  # as above

    try:
        server = serve(host, port)
    except (OSError, OverflowError, ValueError) as error:
        say(f"HOST={host} PORT={port or USUAL_PORT} cannot be used: {error}")
        return 1
    address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        Story(address, say).tell()
        if os.environ.get("ONCE") != "1":
            say(f"\nNow you:  {address}\n  log in    {GRACE_EMAIL} · {PASSWORD}")
            say(f"  mailbox   {address}/dev/mailbox.json\n  Ctrl+C ends it.")
            thread.join()
    except StoryError as error:
        say(str(error))
        return 1
    finally:
        server.shutdown()
        server.server_close()
        connections.close_all()
    return 0


def prepare() -> None:
    """Create the tables through the migrations, and let the community move in."""
    import django  # noqa: PLC0415  # the settings are known now
    from django.core.management import call_command  # noqa: PLC0415  # as above
    from django.utils import timezone  # noqa: PLC0415  # as above

    django.setup()
    call_command("check")
    call_command("migrate", verbosity=0)
    from garden_django.community import plant  # noqa: PLC0415  # it needs the models

    plant(now=timezone.now())
    say(f"{MEMBERS} members with plots, posts, orders and invoices have moved in; {ADA} is one.\n")


def serve(host: str, port: str | None) -> "Server":  # noqa: F821  # below, when Django is set up
    """Return a server at the port that was asked for, or at the usual one, or at any."""
    from django.core.servers.basehttp import (  # noqa: PLC0415  # needs the settings
        ThreadedWSGIServer,
    )
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415  # as above

    tried = [int(port)] if port else [USUAL_PORT, 0]
    for number in tried:
        try:
            server = ThreadedWSGIServer((host, number), QuietHandler)
        except OSError:
            if number == tried[-1]:
                raise
        else:
            server.set_app(get_wsgi_application())
            return server
    raise AssertionError


class QuietHandler(WSGIRequestHandler):
    """Keeps requests off the terminal: the story is told there."""

    def log_message(self, *_: object) -> None:
        return


if __name__ == "__main__":
    sys.exit(main())
