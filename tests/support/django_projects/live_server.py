"""Serves the live site on a socket: ``python -m …live_server FILENO LIFESPAN`` (on or off)."""

import logging
import socket
import sys

import django
import uvicorn


class Server(uvicorn.Server):
    """Says on its output when it is ready."""

    async def startup(self, sockets=None):
        await super().startup(sockets)
        sys.stdout.write("ready\n")
        sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    django.setup()
    from tests.support.django_projects.live_site import application

    config = uvicorn.Config(application(), log_config=None, lifespan=sys.argv[2])
    Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
