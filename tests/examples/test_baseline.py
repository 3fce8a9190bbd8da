"""What a scanner looks at first: headers, cookies and forms of every page, errors included."""

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.gardens import PASSWORD

EMAIL = "ada@garden.example"
OPEN = ["/", "/users/log_in", "/users/register", "/users/reset_password", "/users/confirm"]
PERSONAL = ["/", "/users/settings", "/users/settings/close", "/members"]
LINKS = ["/users/log_in/x", "/users/reset_password/x", "/users/confirm/x"]
FILES = [
    "/static/garden.css",
    "/users/settings/close/efface.js",
    "/users/settings/close/efface.css",
]
REFUSED = [
    ("GET", "/nothing", 404),
    ("DELETE", "/members", 403),
    ("POST", "/posts", 403),
    ("POST", "/users/log_in", 403),
    ("PROPFIND", "/", 403),
    ("TRACE", "/", 405),
    ("OPTIONS", "/", 405),
    ("TRACE", "/users/settings/close", 405),
    ("OPTIONS", "/users/settings/close", 405),
]
BANNERS = ("server", "x-powered-by", "via", "x-aspnet-version")
# The garden's own name of the field, and Django's.
TOKENS = ("_csrf_token", "csrfmiddlewaretoken")
RELATIVE = ("action", "href", "src")


@pytest.fixture
def site(open_garden):
    """The site as it is on the web, by HTTPS."""
    return open_garden(dev=False)


@pytest.fixture
def ada(site):
    """Ada's browser, remembered."""
    site.member(EMAIL, name="Ada Lovelace")
    return site.signed_in(EMAIL, remember_me="true")


def everything(site, ada):
    """Every page, for nobody and for Ada, every file, and every refusal."""
    nobody = site.browser()
    yield from (nobody.get(path) for path in [*OPEN, *PERSONAL, *LINKS, *FILES])
    yield from (ada.get(path) for path in PERSONAL)
    for method, path, status in REFUSED:
        answer = ada.request(method, path)
        assert answer.status_code == status, (method, path, answer.status_code)
        yield answer


def directives(answer):
    """The content security policy, by directive."""
    policy = answer.headers["content-security-policy"]
    return {name: set(values) for name, *values in (part.split() for part in policy.split(";"))}


class Elements(HTMLParser):
    """The elements of a page; each form with its fields."""

    def __init__(self, page):
        super().__init__()
        self.found, self.forms = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.found.append((tag, attributes))
        if tag == "form":
            self.forms.append((attributes, []))
        elif tag in ("input", "textarea", "select", "button") and self.forms:
            self.forms[-1][1].append({"tag": tag, **attributes})


def is_html(answer):
    return answer.headers.get("content-type", "").startswith("text/html")


def pages(site, ada):
    found = [answer for answer in everything(site, ada) if is_html(answer)]
    assert len(found) > len(OPEN) + len(PERSONAL)
    return found


def test_every_answer_carries_the_same_protection(site, ada):
    for answer in everything(site, ada):
        policy, where = directives(answer), answer.request.url.path
        assert policy["default-src"] == {"'none'"}, where
        assert policy["frame-ancestors"] <= {"'self'", "'none'"}, where
        assert policy["base-uri"] <= {"'self'", "'none'"}, where
        assert policy["form-action"] == {"'self'"}, where
        assert policy["script-src"] | policy["style-src"] == {"'self'"}, where
        assert answer.headers["x-content-type-options"] == "nosniff", where
        assert answer.headers["referrer-policy"] in (
            "strict-origin-when-cross-origin",
            "no-referrer",
            "same-origin",
        ), where
        assert [name for name in BANNERS if name in answer.headers] == [], where
        assert "access-control-allow-origin" not in answer.headers, where


def test_no_page_may_lie_in_a_cache(site, ada):
    """After the closing, *back* in a shared browser would show it again."""
    for answer in pages(site, ada):
        assert "no-store" in answer.headers["cache-control"], answer.request.url.path


def test_every_cookie_is_out_of_reach_of_scripts_and_other_sites(site, ada):
    received = [cookie for answer in everything(site, ada) for cookie in set_by(answer)]
    again = site.browser()
    received += set_by(again.log_in(EMAIL, remember_me="true"))
    received += set_by(again.submit("/users/log_out", _method="delete"))

    assert {name for name, _ in received} >= {"session"}
    assert len({name for name, _ in received}) > 1
    for name, attributes in received:
        assert {"httponly", "secure", "path=/"} <= attributes, name
        assert {"samesite=lax", "samesite=strict"} & attributes, name
        assert not any(each.startswith("domain=") for each in attributes), name


def set_by(answer):
    """Name and attributes of each cookie that an answer sets."""
    for line in answer.headers.get_list("set-cookie"):
        first, *rest = (part.strip() for part in line.split(";"))
        yield first.partition("=")[0], {part.lower() for part in rest}


def test_every_form_that_changes_something_carries_a_token_and_stays_here(site, ada):
    seen = 0
    for answer in pages(site, ada):
        for form, fields in Elements(answer.text).forms:
            where = answer.request.url.path, form.get("action")
            assert not urlsplit(form.get("action") or "").netloc, where
            buttons = [field for field in fields if field["tag"] == "button"]
            # Who is signed out sees the plots, and can press none of them.
            usable = any("disabled" not in button for button in buttons)
            if form.get("method", "get").lower() == "post" and usable:
                seen += 1
                assert any(f.get("name") in TOKENS and f.get("value") for f in fields), where
            for field in fields:
                if field.get("type") in ("password", "email"):
                    assert field.get("autocomplete"), (where, field.get("name"))
    assert seen > len(OPEN)


def test_pages_load_nothing_from_elsewhere_and_hold_no_script(site, ada):
    """Neither mixed content, nor what the content security policy would refuse."""
    for answer in pages(site, ada):
        for tag, attributes in Elements(answer.text).found:
            where = answer.request.url.path, tag, attributes
            assert tag != "script" or attributes.get("src"), where
            assert not any(name.startswith("on") or name == "style" for name in attributes), where
            if tag != "a":
                linked = [attributes.get(name) or "" for name in RELATIVE]
                assert not any(urlsplit(each).netloc for each in linked), where
            elif attributes.get("target") == "_blank":
                assert "noopener" in (attributes.get("rel") or ""), where


@pytest.mark.parametrize("foreign", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_nothing_redirects_to_another_host(site, ada, foreign):
    nobody, elsewhere = site.browser(), {"Host": "evil.example"}
    answers = [
        nobody.get(path, params={"return_to": foreign, "next": foreign}) for path in PERSONAL
    ]
    answers += [ada.get(path, params={"next": foreign}) for path in OPEN]
    answers.append(nobody.log_in(EMAIL, return_to=foreign, next=foreign))
    answers += [site.browser().get(path, headers=elsewhere) for path in PERSONAL]
    answers.append(site.browser().get(f"/{foreign}"))

    redirects = [answer for answer in answers if answer.is_redirect]

    assert redirects
    for answer in redirects:
        location = httpx.URL(answer.headers["location"])
        assert location.host in ("", "garden.test"), answer.request.url
        assert not answer.headers["location"].startswith(("//", "/\\"))


def test_trace_gives_nothing_back(ada):
    answer = ada.request("TRACE", "/", headers={"X-Secret": "mirror, mirror"})

    assert answer.status_code == 405
    assert "mirror" not in answer.text


def test_a_failure_says_nothing_of_what_is_inside_and_is_protected_alike(site, ada):
    site.execute("ALTER TABLE plots RENAME TO lost")

    answer = ada.get("/")

    assert answer.status_code == 500
    assert directives(answer)["default-src"] == {"'none'"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]
    assert not re.search(r"Traceback|sqlalchemy|OperationalError|SELECT|\.py\b", answer.text)
    assert PASSWORD not in answer.text


def test_the_description_of_the_api_is_not_public(site):
    for path in ("/docs", "/redoc", "/openapi.json", "/dev/mailbox", "/users/closed", "/.git/HEAD"):
        assert site.browser().get(path).status_code == 404, path
