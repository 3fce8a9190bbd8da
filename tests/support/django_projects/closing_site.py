"""The town with its closing page, for the tests of the page and of the admin."""

from django.contrib import admin
from django.contrib.auth import views
from django.contrib.auth.admin import UserAdmin
from django.http import HttpResponse
from django.template import engines
from django.urls import include, path

from efface.django import Blocker, TooManyAttemptsError
from efface.django.admin import CloseAccountsMixin, ClosingAdmin
from efface.django.models import Closing
from tests.support.django_projects.page_settings import MIDDLEWARE, templates
from tests.support.django_projects.town.models import Person

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
    from tests.support.django_projects.town.models import Post

    for post in Post.objects.select_for_update().filter(author=person, body=""):
        text = {"en": "You have begun a post.", "de": "Ein Beitrag ist noch unfertig."}
        yield Blocker(text, f"/posts/{post.pk}")


def never(_request, _password):
    raise TooManyAttemptsError(60)


def german(code):
    return {"town.Post": "Beiträge" if code == "de" else "things you wrote"}


def settings_page(request):
    template = engines["django"].from_string("{% load efface %}{% delete_account %}")
    return HttpResponse(template.render({}, request))


def notices(request):
    template = engines["django"].from_string("{% for each in messages %}{{ each }}{% endfor %}")
    return HttpResponse(template.render({}, request))


class People(CloseAccountsMixin, UserAdmin):
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
