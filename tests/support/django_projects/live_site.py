"""The town with a live socket, for a process of its own."""

import logging
import os

from django.contrib.auth import login, logout
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, JsonResponse
from django.template import engines
from django.urls import include, path
from django.views.decorators.http import require_http_methods

from efface.django.live import Live
from efface.live.redis import RedisBroker
from tests.support.django_projects.town.models import Person

PASSWORD = "runner beans and peas"
PAGE = """{% load efface %}<html><head><meta name="csrf-token" content="{{ csrf_token }}"></head>
<body>{% delete_account %}</body></html>"""

log = logging.getLogger(__name__)
redis = os.environ.get("TOWN_REDIS")
live = Live("/live", broker=RedisBroker(redis, secret=b"k" * 16) if redis else None)


@live.on("greet")
async def greet(event):
    event.reply({"subject": event.subject, "number": event.payload.get("number")})


@live.on("shout")
async def shout(event):
    await live.push(event.subject, "news", event.payload)
    await live.broadcast("news", event.payload)


@live.on("break")
async def break_down(event):
    raise LookupError(event.payload["address"])


def join(request, name):
    person = Person.objects.create_user(name, f"{name}@example.org", PASSWORD)
    return log_in(request, person.pk)


def log_in(request, key):
    login(request, Person.objects.get(pk=key), "django.contrib.auth.backends.ModelBackend")
    return JsonResponse({"pk": key})


def page(request):
    template = engines["django"].from_string(PAGE)
    return HttpResponse(template.render({}, request))


@require_http_methods(["DELETE"])
def log_out(request):
    key = request.user.pk
    logout(request)
    if key is not None:
        live.recheck_soon(key)
    return HttpResponse(status=204)


def by_ticket(request):
    """Return whoever the session's ticket names, as a project with a log-in of its own does."""
    return (
        Person.objects.filter(nick=request.session.get("ticket", ""))
        .values_list("pk", flat=True)
        .first()
    )


def take_ticket(request, key):
    request.session["ticket"] = f"ticket {key}"
    Person.objects.filter(pk=key).update(nick=f"ticket {key}")
    return JsonResponse({"pk": key})


def farewell(person):
    """Return what notes the farewell in the server's log, where a test reads it."""
    address = person.email
    return lambda said: log.info("mail to %s: %s %s", address, said.reference, said.path)


def start(_request):
    return HttpResponse("<title>Start</title>")


urlpatterns = [
    path("", start),
    path("join/<str:name>", join),
    path("log_in/<int:key>", log_in),
    path("take_ticket/<int:key>", take_ticket),
    path("settings", page),
    path("users/log_out", log_out),
    path("account/close", include("efface.django.urls")),
]


def application():
    return live.beside(get_asgi_application())
