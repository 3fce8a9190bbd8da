"""The site around the accounts: pages for every mistake, headers, plots, mail, the story."""

from html import unescape

import pytest

from garden.mailer import Mailbox, RefusedAddressError
from garden.models import Plot
from garden.sample_data import ADA_ID
from garden.site_settings import MissingSecretError, Settings
from tests.support.gardens import PASSWORD, Clock

EMAIL = "ada@garden.example"


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize("path", ["/", "/members", "/users/log_in", "/nowhere", "/static/leaf.svg"])
def test_every_answer_carries_the_headers(garden, path):
    """tutorial:WB-16"""
    headers = garden.browser().get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["x-permitted-cross-domain-policies"] == "none"
    assert "base-uri 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/users/log_in/", 404),
        ("PUT", "/members", 405),
        ("POST", "/users/settings/nowhere", 404),
    ],
)
def test_mistakes_get_a_page_for_people_and_json_for_scripts(garden, method, path, status):
    page = garden.browser().submit(path, method=method)
    script = garden.browser().script(method, path)

    assert page.status_code == script.status_code == status
    assert "<h1>" in page.text
    assert set(script.json()) == {"error"}


def test_a_file_where_a_text_belongs_is_a_page_too(garden):
    browser = garden.browser()
    browser.open("/users/log_in")

    answer = browser.post(
        "/users/log_in", data={"_csrf_token": browser.token}, files={"email": b"?"}
    )

    assert answer.status_code == 422
    assert "couldn't read" in unescape(answer.text)


def test_a_text_that_no_database_stores_is_a_page_too(garden):
    browser = garden.browser()

    answer = browser.submit("/users/log_in", email="ada\0@garden.example", password=PASSWORD)

    assert answer.status_code == 422
    assert "couldn't read" in unescape(answer.text)


def test_a_failure_is_a_page_that_quotes_nothing(garden):
    garden.member()
    browser = garden.signed_in()
    garden.execute("DROP TABLE posts")

    answer = browser.submit("/posts", title="A secret title", body="A secret body")

    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "content-security-policy" in answer.headers
    assert "secret" not in answer.text + garden.log


@pytest.mark.parametrize(
    "path", ["/dev/mailbox", "/dev/mailbox.json", "/dev/log_in", "/users/closed"]
)
def test_what_is_for_developers_is_nowhere_else(open_garden, path):
    garden = open_garden(dev=False)
    browser = garden.browser()

    assert browser.get(path).status_code == 404
    assert browser.submit(path).status_code == 404
    assert "For developers" not in browser.open("/").text


def test_the_mailbox_can_be_read_by_people_and_scripts(garden):
    garden.member(confirmed=False)
    browser = garden.browser()
    browser.submit("/users/confirm", email=EMAIL)

    (mail,) = browser.get("/dev/mailbox.json").json()

    assert set(mail) == {"to", "subject", "text", "sent_at"}
    assert (mail["to"], mail["sent_at"]) == (EMAIL, garden.clock().isoformat())
    assert mail["subject"] in browser.open("/dev/mailbox").text


def test_one_click_logs_a_developer_in_and_shows_what_is_held(garden):
    garden.member(name="Ada Lovelace")
    browser = garden.browser()

    browser.submit("/dev/log_in")
    mine = browser.page
    browser.submit("/users/settings/close", current_password=PASSWORD, confirm="yes")

    assert "The database has this about you" in mine
    assert f"<dd>{EMAIL}</dd>" in mine
    assert "The last closed account" in browser.page
    assert EMAIL not in browser.page


# ---------------------------------------------------------------- plots


@pytest.fixture
def plots(garden):
    garden.add(*(Plot(label=label, crop="beans") for label in ("A1", "A2")))


def holders(garden):
    return {row["label"]: row["holder_id"] for row in garden.rows("SELECT * FROM plots")}


@pytest.mark.tutorial("T31a")
def test_a_plot_is_picked_over_the_socket_and_every_tab_hears_of_it(garden, plots):
    ada = garden.member()
    with garden.served() as browser:
        laptop = browser()
        laptop.log_in(EMAIL)
        with laptop.socket() as tab, laptop.socket() as other_tab:
            pushed = tab.push("pick_plot", plot="A1")
            taken, ack = tab.hear(), tab.hear()

            assert pushed == {"event": "plot_picked", "payload": {"plot": "A1"}}
            assert taken == {"event": "plot_taken", "payload": {"plot": "A1", "freed": None}}
            assert other_tab.hear() == pushed
            assert ack["status"] == "ok"
            assert holders(garden) == {"A1": ada, "A2": None}


@pytest.mark.parametrize("plot", ["A2", "Z9", "", "ä", "\ud800", 7, None])
def test_a_plot_that_is_taken_or_is_none_is_refused(garden, plots, plot):
    garden.member()
    grace = garden.member("grace@garden.example")
    garden.signed_in("grace@garden.example").submit("/plots/pick", plot="A2")
    with garden.served() as browser:
        laptop = browser()
        laptop.log_in(EMAIL)
        with laptop.socket() as tab:
            assert tab.push("pick_plot", plot=plot)["status"] == "refused"
    assert holders(garden) == {"A1": None, "A2": grace}


def test_without_a_script_the_form_moves_one_from_plot_to_plot(garden, plots):
    ada = garden.member()
    browser = garden.signed_in()

    browser.submit("/plots/pick", plot="A1")
    browser.submit("/plots/pick", plot="A2")

    assert holders(garden) == {"A1": None, "A2": ada}


def test_a_plot_is_free_again_when_its_holder_leaves(garden, plots):
    ada = garden.member()
    garden.signed_in().submit("/plots/pick", plot="A1")

    garden.close(ada)

    assert holders(garden) == {"A1": None, "A2": None}


# ---------------------------------------------------------------- parts


def test_the_mailer_sends_nothing_to_a_placeholder():
    with pytest.raises(RefusedAddressError) as refusal:
        Mailbox(Clock()).deliver("anonymized-1@users.invalid", "Hello", "You")

    assert "anonymized-1" not in str(refusal.value)


def test_a_public_site_needs_a_secret():
    with pytest.raises(MissingSecretError, match="GARDEN_SECRET"):
        Settings.from_environment({})

    assert Settings.from_environment({"GARDEN_SECRET": "s"}).secret == "s"
    assert Settings.from_environment({"GARDEN_DEV": "1"}).dev
    assert "hush" not in repr(Settings("sqlite://", "hush"))


def test_links_in_mails_lead_to_the_site_and_not_to_whoever_wrote_the_host(open_garden):
    garden = open_garden(url="https://garden.example")
    garden.member()

    browser = garden.browser("http://evil.example")
    browser.submit("/users/reset_password", email=EMAIL)

    assert "https://garden.example/users/reset_password/" in garden.mailbox.to(EMAIL)[0].text


def test_every_column_is_decided(garden):
    assert list(garden.problems()) == []


@pytest.mark.filterwarnings("ignore:.*expression-based index:UserWarning")
@pytest.mark.filterwarnings("ignore:.*expression-based index:sqlalchemy.exc.SAWarning")
def test_migrations_and_models_make_the_same_tables(garden):
    assert garden.unmigrated() == []


def test_an_unknown_member_is_a_404(garden):
    with pytest.raises(garden.NOT_FOUND):
        garden.ask("get_user_or_404", 8114)


def test_people_who_left_are_listed_by_when(garden):
    first, second = garden.member("a@b.example"), garden.member("c@d.example")
    garden.close(first)
    garden.clock.advance(days=30)
    garden.close(second)

    all_of_them = garden.ask("list_closed")
    lately = garden.ask("list_closed", since=garden.clock())

    assert len(all_of_them) == 2
    assert lately == all_of_them[:1] == [garden.clock()]


# ---------------------------------------------------------------- sample data


def test_the_community_is_the_same_each_time_and_only_ada_writes_about_ada(open_garden):
    planted = []
    for _ in range(2):
        garden = open_garden()
        garden.plant()
        planted.append(garden.everything())

    first, second = planted
    others = [row for row in first["posts"] if row["author_id"] != ADA_ID]
    assert first == second
    assert len(first["users"]) == len({row["name"] for row in first["users"]}) == 200
    assert not any("Lovelace" in str(row) or "ada@" in str(row) for row in others)
    plan = garden.plan(ADA_ID)
    assert 45 <= sum(step.reached for step in plan.steps) <= 50
