"""A project with the packages that come decided."""

SECRET_KEY = "a key of the project, for tests alone"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.admin",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "rest_framework.authtoken",
    "rest_framework_simplejwt.token_blacklist",
    "simple_history",
    "efface.django",
    "tests.support.django_projects.packages",
]
MIDDLEWARE = ["allauth.account.middleware.AccountMiddleware"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "packages.Person"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
EFFACE = {"SECRET": "a key for the tests alone"}
SIMPLE_JWT = {
    "TOKEN_REFRESH_SERIALIZER": "efface.django.simplejwt.TokenRefreshSerializer",
    "SLIDING_TOKEN_REFRESH_SERIALIZER": "efface.django.simplejwt.TokenRefreshSlidingSerializer",
}
