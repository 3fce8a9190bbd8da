"""What comes decided for Django's own models, and how to decide otherwise."""


def test_the_admins_log_keeps_what_was_done_and_forgets_with_whom(town):
    from django.contrib.admin.models import LogEntry
    from django.contrib.contenttypes.models import ContentType

    ada, grace = town.ada(), town.person()
    tag = town.Tag.create(pk=ada.pk, slug="a thing with the same key")
    about = ContentType.objects.db_manager(town.alias).get_for_model
    log = LogEntry.objects.using(town.alias)
    for actor, thing in [(grace, ada), (ada, tag), (ada, grace)]:
        log.create(
            user=actor,
            content_type=about(type(thing)),
            object_id=str(thing.pk),
            object_repr=str(thing),
            action_flag=2,
            change_message="renamed",
        )

    town.close(ada)

    assert [(e.user_id, e.object_repr, e.change_message) for e in log.order_by("pk")] == [
        (grace.pk, "", ""),
        (ada.pk, str(tag), "renamed"),
        (ada.pk, "grace", "renamed"),
    ]


def test_groups_and_permissions_go(town):
    from django.contrib.auth.models import Group

    ada = town.ada()
    ada.groups.add(Group.objects.using(town.alias).create(name="gardeners"))

    town.close(ada)

    assert not town.Person.get(pk=ada.pk).groups.exists()
    assert Group.objects.using(town.alias).count() == 1


def test_sessions_of_the_person_end_and_others_go_on(migrated, town):
    from django.contrib.sessions.backends.db import SessionStore

    migrated("sqlite")
    ada, grace = town.ada(), town.person()
    keys = {}
    for person in (ada, grace):
        session = SessionStore()
        session["_auth_user_id"] = str(person.pk)
        session.save()
        keys[person.pk] = session.session_key

    town.close(ada)

    assert not SessionStore().exists(keys[ada.pk])
    assert SessionStore().exists(keys[grace.pk])


def test_a_policy_file_decides_instead_of_a_preset(django, settings_of, tmp_path):
    from efface import Delete
    from efface.django import eraser

    path = tmp_path / "efface.toml"
    path.write_text(
        '[tables.django_admin_log]\non_close = {action = "Delete", via = "user_id"}\n',
        encoding="utf-8",
    )

    with settings_of(POLICY=path):
        found = eraser("default")
        rule = found.policy.tables["django_admin_log"]

        assert found.check() == ()
        assert [mark.action for mark in rule.close_rules] == [Delete()]


def sessions_of(*people, expired=False):
    """Keep a session for each of these primary keys in the database, and no other; their keys."""
    from datetime import timedelta

    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    days = timedelta(days=-1 if expired else 1)
    data = [SessionStore().encode({"_auth_user_id": str(person)}) for person in people]
    made = [
        Session(session_key=f"{i:032}", session_data=each, expire_date=timezone.now() + days)
        for i, each in enumerate(data)
    ]
    Session.objects.all().delete()
    Session.objects.bulk_create(made)
    return [session.session_key for session in made]


def test_sessions_are_read_some_at_a_time(town, monkeypatch):
    """The person's are found wherever they stand, and never all are in memory."""
    from django.contrib.sessions.models import Session
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from efface.django.database import login_sessions

    monkeypatch.setattr(login_sessions, "BATCH_SIZE", 4)
    keys = sessions_of(7, 1, 1, 7, 1, 1, 1, 7)
    with CaptureQueriesContext(connection) as found:
        assert login_sessions.end_sessions([7], policy_of_town()) == 3

    assert {session.pk for session in Session.objects.all()} == {
        key for key, person in zip(keys, "71171117", strict=True) if person == "1"
    }
    read = [query["sql"] for query in found if "ORDER BY" in query["sql"]]
    assert len(read) == 3
    assert all("LIMIT 4" in sql for sql in read)
    Session.objects.all().delete()


def test_an_expired_session_is_not_decoded(town):
    from django.contrib.sessions.models import Session

    from efface.django.database.login_sessions import end_sessions

    sessions_of(7, expired=True)

    assert end_sessions([7], policy_of_town()) == 0
    Session.objects.all().delete()


def test_sessions_that_the_policy_reaches_are_not_read(town, settings_of, tmp_path):
    """As those of a session model with a column for the user: the closing has removed them."""
    from django.contrib.sessions.models import Session

    from efface.django.database.login_sessions import end_sessions

    path = tmp_path / "efface.toml"
    path.write_text(
        "[tables.django_session.on_close]\n"
        'action = "Revoke"\n'
        'via = {link = "MatchBy", column = "session_key", equals = "town_person.username"}\n',
        encoding="utf-8",
    )
    sessions_of(7)
    with settings_of(POLICY=path):
        assert end_sessions([7], policy_of_town()) == 0

    assert Session.objects.count() == 1
    assert end_sessions([7], policy_of_town()) == 1


def policy_of_town():
    from efface.django import eraser

    return eraser("default").policy
