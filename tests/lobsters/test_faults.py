"""The six errors in published specifications, written as policies: `check` finds each of them."""

import re

import pytest

from efface import Delete, Eraser, MatchBy, Policy, Redact, data_subject, on_close
from efface.errors import PolicyFileError
from efface.policy.schema_drift import compare
from tests.support.schemas.lobsters import published
from tests.support.schemas.lobsters.tables import build

KEY = "a key for tests, long enough"

# A part of the tables of HotCRP, a site for the reviews of conferences.
REVIEWS = """
ContactInfo
    contactId key, firstName text120, lastName text120, email text120 unique, deleted_at? moment
PaperReviewRefused
    refusedId key, paperId int, refusedBy int -> ContactInfo.contactId,
    requestedBy int -> ContactInfo.contactId, reason? text
TopicArea
    topicId key, topicName text200
TopicInterest
    interestId key, contactId int -> ContactInfo.contactId, topicId int -> TopicArea.topicId
"""


def found(words, marks):
    """Return what `check` says of a policy, by table and column or link."""
    marks = {"users": [data_subject()]} | marks if "users\n" in words else marks
    problems = Eraser(Policy.from_metadata(build(words, marks)), secret=KEY).check()
    return [f"{problem.table}: {problem.text}" for problem in problems]


def said_of_file(tmp_path, words, text):
    """Return what is said of a policy file for these tables."""
    path = tmp_path / "efface.toml"
    path.write_text(text)
    with pytest.raises(PolicyFileError) as refused:
        Policy.from_file(path, build(words))
    return [f"{problem.table}: {problem.text}" for problem in refused.value.problems]


@pytest.mark.parametrize("link", ["story_id", "comment_id"])
def test_references_that_a_table_does_not_have(link):
    """The table info of Lobsters gives tag_filters a story and a comment."""
    marks = {"tag_filters": [on_close(Delete(), via=link)]}

    assert any(
        text.startswith("tag_filters:") and f"{link}, which is not a column" in text
        for text in found(published.TABLES, marks)
    )


def test_misspelled_columns_of_comments(tmp_path):
    """The removal of today's Lobsters overwrites is_delete and score."""
    text = """
        [tables.comments]
        on_close = { action = "Redact", via = "user_id" }
        personal.is_delete = { action = "Replace", value = true }
        personal.score = { action = "Replace", value = 0 }
    """

    said = said_of_file(tmp_path, published.TABLES, text)

    assert len(said) == 2
    assert "is_delete is not a column of comments. Did you mean is_deleted?" in said[0]
    assert "score is not a column of comments" in said[1]


def test_the_same_columns_as_markers():
    marks = {"comments": [on_close(Redact(), via="user_id", not_personal=["is_delete", "score"])]}

    said = found(published.TABLES, marks)

    for name in ("is_delete", "score"):
        assert any(f"names {name}, which is not a column" in text for text in said)


def test_two_columns_in_one_string():
    """Both removals of HotCRP detach a column called "refusedBy, requestedBy"."""
    marks = {
        "ContactInfo": [data_subject()],
        "PaperReviewRefused": [on_close(Redact(), via="refusedBy, requestedBy")],
    }

    assert any(
        text.startswith("PaperReviewRefused:") and "refusedBy, requestedBy" in text
        for text in found(REVIEWS, marks)
    )


def test_a_table_by_another_name(tmp_path):
    """The table info of HotCRP refers to Topic, which is TopicArea."""
    marks = {
        "ContactInfo": [data_subject()],
        "TopicInterest": [on_close(Delete(), via=MatchBy("topicId", equals="Topic.topicId"))],
    }

    assert any("Topic.topicId" in text for text in found(REVIEWS, marks))
    said = said_of_file(tmp_path, REVIEWS, '[tables.Topic.no_personal_data]\nreason = "a list"')
    assert said == ["Topic: Topic is not a table of the models. Did you mean TopicArea?"]


def test_a_column_in_another_case(tmp_path):
    """The made-up person of HotCRP has a firstname; only MySQL does not mind."""
    said = said_of_file(tmp_path, REVIEWS, '[tables.ContactInfo.personal]\nfirstname = "Clear"')

    assert said == [
        "ContactInfo: firstname is not a column of ContactInfo. Did you mean firstName?"
    ]


def test_a_link_to_the_wrong_table():
    """K9db gives suggested_taggings to the user whose key is the story's."""
    marks = {"suggested_taggings": [on_close(Delete(), via=MatchBy("story_id", equals="users.id"))]}

    assert any(
        text.startswith("suggested_taggings:") and "stories" in text
        for text in found(published.TABLES, marks)
    )


def test_a_foreign_key_to_the_wrong_table(database):
    """K9db's own schema says so, and the site's database knows better."""
    build(published.TABLES).create_all(database)
    wrong = re.sub(
        r"(?<=suggested_taggings\n    id key, story_id\? int -> )stories", "users", published.TABLES
    )
    marks = {
        "users": [data_subject()],
        "suggested_taggings": [on_close(Delete(), via="story_id")],
    }
    policy = Policy.from_metadata(build(wrong, marks))

    assert "suggested_taggings.story_id" in {p.place for p in compare(policy, database)}
