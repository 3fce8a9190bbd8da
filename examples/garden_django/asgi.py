"""What a server runs: ``uvicorn garden_django.asgi:application``."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "garden_django.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from garden_django.live import live  # noqa: E402  # its models need Django to be set up

application = live.beside(django_application)
