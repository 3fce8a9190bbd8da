"""Which text names the person, and what is left of it afterwards."""

import json
import pickle
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efface.plan.mentions import SearchTerms, parsed
from efface.plan.row_edits import Edit

ADA = SearchTerms(["ada@example.org", "Ada Lovelace", "Zoë Ünal", "Иван", None, "", "  ", 7])


@pytest.mark.parametrize(
    "text",
    [
        "write to ada@example.org.",
        "ADA@EXAMPLE.ORG",
        "<mailto:ada@example.org>",
        "Ada Lovelace's plot",
        "von ADA LOVELACE, gestern",
        "zoë ünal",
        "ZOË ÜNAL",
        "Zoe\u0308 U\u0308nal",
        "ИВАН!",
    ],
)
def test_every_writing_of_an_identifier_is_found_and_replaced(text):
    assert ADA.found_in(text)
    assert not ADA.found_in(ADA.replaced_in(text, "a former member"))


@pytest.mark.parametrize(
    "text",
    [
        "granada@example.org",
        "x.ada@example.org",
        "ada@example.org.uk",
        "ada@example.organic",
        "Ada Lovelacey",
        "Иванов",
        "Ada",
        "",
    ],
)
def test_other_peoples_words_are_left_alone(text):
    assert not ADA.found_in(text)
    assert ADA.replaced_in(text, "x") == text


def test_the_longest_identifier_goes_first():
    needles = SearchTerms(["Lovelace", "Ada Lovelace"])

    assert needles.replaced_in("Ada Lovelace, Lovelace", "X") == "X, X"


def test_a_replacement_is_taken_literally():
    assert SearchTerms(["Ada Lovelace"]).replaced_in("Ada Lovelace", r"\1\g<0>") == r"\1\g<0>"


@pytest.mark.parametrize("value", [None, "", "   ", "Ada", "ab", 42, b"ada@example.org"])
def test_blank_short_and_other_values_are_no_needles(value):
    needles = SearchTerms([value])

    assert not needles
    assert needles.patterns == ()
    assert not needles.found_in("Ada ab 42 ada@example.org")


def test_short_identifiers_are_counted():
    assert SearchTerms(["Ada", "Bo", "Ada Lovelace"]).skipped == 2


def test_json_changes_only_in_the_strings_that_name_the_person():
    document = '{ "big":12345678901234567890, "f": 1.50,"by":"Ada Lovelace",  "z":[null,true]}'

    edited = ADA.replaced_in_json(document, "someone")

    assert edited == document.replace("Ada Lovelace", "someone")


def test_json_escapes_do_not_hide_a_name():
    document = json.dumps({"by": "Zoë Ünal", "quote": 'she said "Zoë Ünal"'})
    assert "\\u00eb" in document

    edited = ADA.replaced_in_json(document, "someone")

    assert json.loads(edited) == {"by": "someone", "quote": 'she said "someone"'}


def test_two_keys_that_name_the_person_both_keep_their_value():
    document = json.dumps({"ada@example.org": 1, "Ada Lovelace": 2, "x": 3})

    edited = json.loads(ADA.replaced_in_json(document, "someone"))

    assert sorted(edited.values()) == [1, 2, 3]
    assert not ADA.found_in(edited)


def test_json_text_is_parsed_before_it_is_searched():
    assert ADA.found_in(parsed(json.dumps(["Zoë Ünal"])))
    assert parsed("{broken") == "{broken"


def test_an_edit_shows_nothing_of_the_text():
    edit = Edit(("ada-l",), unfinished=True, values=("by Ada Lovelace",))

    assert "ada" not in repr(edit).lower()
    assert edit.parameters() == {"key_0": "ada-l", "new_0": "by Ada Lovelace"}


def test_needles_show_save_and_pickle_nothing():
    assert "ada" not in repr(ADA).lower()
    assert not pickle.loads(pickle.dumps(ADA))  # made one line above


names = st.text(min_size=4, max_size=12).filter(lambda text: text.strip() == text)


@given(name=names, before=st.text(max_size=5), after=st.text(max_size=5), upper=st.booleans())
def test_the_database_lets_through_whatever_names_the_person(name, before, after, upper):
    """The LIKE pattern may find too much, never too little: else a mention would be missed."""
    needles = SearchTerms([name])
    text = before + (name.upper() if upper else name) + after
    if not needles.found_in(text) or "\x00" in text:
        return

    with closing(sqlite3.connect(":memory:")) as connection:
        query = "SELECT lower(?) LIKE lower(?) ESCAPE '\\'"
        hits = [connection.execute(query, (text, p)).fetchone()[0] for p in needles.patterns]

    assert any(hits)
