"""The settings of the closing page on Django, and its checks."""

import pytest

# What differs between databases lies below the page.
pytestmark = pytest.mark.parametrize("alias", ["sqlite"], indirect=True)


@pytest.fixture
def checked(site):
    """What the check of the page says under other settings."""
    from django.test import override_settings

    from efface.django.checks import check_page

    def found(efface, **changes):
        with override_settings(**changes), site(**efface):
            return check_page()

    return found


def test_the_check_of_the_page_has_nothing_to_say_of_a_page_that_works(checked):
    assert checked({"REDIRECT_PATH": "goodbye"}, LOGIN_URL="log-in") == []
    assert checked({"REDIRECT_PATH": "/goodbye"}) == []
    # What the check of the policy says is not said twice.
    assert checked({"REDIRECT_PATH": 7}) == []


BROKEN = [
    ({"REDIRECT_PATH": "no-such-route"}, {}, '"REDIRECT_PATH": "/goodbye"'),
    ({}, {"LOGIN_URL": "nope:login"}, 'LOGIN_URL = "/log_in"'),
    ({}, {"TEMPLATES": []}, '"APP_DIRS": True'),
    ({}, {"MIDDLEWARE": []}, "django.contrib.sessions.middleware.SessionMiddleware"),
]


@pytest.mark.parametrize(("efface", "changes", "line"), BROKEN)
def test_what_would_break_the_page_is_found_by_check(checked, efface, changes, line):
    (found,) = checked(efface, **changes)

    assert found.id == "efface.E602"
    assert line in found.msg


@pytest.mark.parametrize(
    ("efface", "middleware"),
    [
        ({"IDENTIFY": lambda _: None}, []),
        ({}, ["tests.django.middleware.OfTheProject"]),
    ],
)
def test_who_is_there_may_be_known_without_djangos_sessions(checked, efface, middleware):
    assert checked(efface, MIDDLEWARE=middleware) == []


@pytest.mark.parametrize(("efface", "changes", "line"), BROKEN)
@pytest.mark.parametrize("urls", [(), None])
def test_a_project_without_the_page_may_have_all_of_it(checked, efface, changes, line, urls):
    assert checked(efface, **changes, ROOT_URLCONF=urls) == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"REDIRECT_URI": "/"}, "REDIRECT_PATH"),
        ({"REDIRECT_PATH": 7}, "REDIRECT_PATH"),
        ({"REDIRECT_PATH": "https://elsewhere.example/"}, "a path of this site"),
        ({"REDIRECT_PATH": "//elsewhere.example"}, "a path of this site"),
        ({"BLOCKERS": "nowhere.at.all"}, "can't import it"),
        ({"BLOCKERS": 7}, "needs a function"),
        ({"RECIPIENTS": "our bookkeeper"}, "list of texts"),
        ({"RECENT_LOGIN": 600}, "timedelta"),
    ],
)
def test_a_mistake_in_the_settings_is_found_by_check(site, said, reason):
    from efface.django.checks import check_policy

    with site(**said):
        found = check_policy()

    assert [message.id for message in found] == ["efface.E602"]
    assert reason in found[0].msg
