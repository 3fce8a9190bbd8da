from django.contrib import admin
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.template import engines
from django.urls import path

from tests.support.django_projects.town.models import Person, Post

THREAD = """{% for post in posts %}<p>{{ post.author }}: {{ post.author.display_name }}</p>
{% endfor %}"""


class ByAddress(BaseBackend):
    """A backend of the town's own, which lets everybody in who knows an address."""

    def authenticate(self, _request, address=None):
        return Person.objects.filter(email=address).first()

    def get_user(self, user_id):
        return Person.objects.filter(pk=user_id).first()


class People(admin.ModelAdmin):
    search_fields = ("email",)
    ordering = ("pk",)


class Posts(admin.ModelAdmin):
    autocomplete_fields = ("author",)
    list_display = ("id", "author")


site = admin.AdminSite()
site.register(Person, People)
site.register(Post, Posts)


@login_required(login_url="/log-in")
def home(request):
    return HttpResponse(request.user.email)


def thread(_request):
    template = engines["django"].from_string(THREAD)
    return HttpResponse(template.render({"posts": Post.objects.select_related("author")}))


urlpatterns = [path("home", home), path("thread", thread), path("admin/", site.urls)]
