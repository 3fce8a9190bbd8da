"""What a server runs: ``uvicorn garden_django.asgi:application``."""

from django.core.asgi import get_asgi_application

import garden_django.settings  # noqa: F401  # names itself to Django

application = get_asgi_application()
