"""The town with its closing page, for the tests of the page and of the admin."""

from django.contrib import admin
from django.contrib.auth import views
from django.contrib.auth.admin import UserAdmin
from django.http import HttpResponse
from django.template import engines
from django.urls import include, path

from efface.django import Blocker, TooManyTriesError
from efface.django.admin import ClosesAccounts, ClosingAdmin
from efface.django.models import Closing
from tests.hosts.django.town.models import Person

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]


def templates(*folders):
    return [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [str(folder) for folder in folders],
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": PROCESSORS},
        }
    ]


SETTINGS = {
    "ROOT_URLCONF": __name__,
    "MIDDLEWARE": MIDDLEWARE,
    "TEMPLATES": templates(),
    "LOGIN_URL": "/log-in/",
    "ALLOWED_HOSTS": ["testserver"],
    "SESSION_COOKIE_SECURE": False,
}


def unfinished(person):
    """Whoever has a post with an empty body has to finish it first."""
    from tests.hosts.django.town.models import Post

    for post in Post.objects.select_for_update().filter(author=person, body=""):
        yield Blocker("You have begun a post.", f"/posts/{post.pk}")


def never(_request, _password):
    raise TooManyTriesError(60)


def german(code):
    return {"town.Post": "Beiträge" if code == "de" else "things you wrote"}


def settings_page(request):
    template = engines["django"].from_string("{% load efface %}{% closing_section %}")
    return HttpResponse(template.render({}, request))


def notices(request):
    template = engines["django"].from_string("{% for each in messages %}{{ each }}{% endfor %}")
    return HttpResponse(template.render({}, request))


class People(ClosesAccounts, UserAdmin):
    pass


office = admin.AdminSite()
office.register(Person, People)
office.register(Closing, ClosingAdmin)

urlpatterns = [
    path("office/", office.urls),
    path("account/close", include("efface.django.urls")),
    path("log-in/", views.LoginView.as_view(template_name="nothing"), name="log-in"),
    path("settings", settings_page),
    path("goodbye", notices, name="goodbye"),
]
