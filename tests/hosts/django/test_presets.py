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
        '[tables.django_admin_log]\non_leaving = {action = "Delete", via = "user_id"}\n',
        encoding="utf-8",
    )

    with settings_of(POLICY=path):
        found = eraser("default")
        rule = found.policy.tables["django_admin_log"]

        assert found.check() == ()
        assert [mark.action for mark in rule.leavings] == [Delete()]
