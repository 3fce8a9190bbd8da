"""Policies for tables that come with a package, and several files as one policy.

The tables are made by their documented columns in docs/how-to/fastapi-users.md, which is executed:
the package's adapter asks for an older SQLAlchemy, and cannot be installed beside this one.
"""

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table

from efface import Policy, preset
from efface.errors import PolicyFileError
from efface.policy.check import check
from efface.policy.presets import FOLDER


def tables(*names):
    """Some of the tables of fastapi-users, without what does not matter here."""
    metadata = MetaData()
    Table("user", metadata, Column("id", Integer, primary_key=True))
    for name in names:
        columns = [Column("user_id", ForeignKey("user.id")), Column("account_email", String)]
        Table(name, metadata, Column("id", Integer, primary_key=True), *columns)
    return metadata


def test_every_preset_is_a_file_that_its_name_finds():
    names = {path.stem for path in FOLDER.glob("*.toml")}

    assert names == {"fastapi-users", "fastapi-users-oauth", "fastapi-users-tokens"}
    assert all(preset(name).read_text().startswith("# ") for name in names)


def test_an_unknown_preset_is_refused_with_the_nearest_one():
    with pytest.raises(ValueError, match=r"fastapi_users is not a preset.*fastapi-users"):
        preset("fastapi_users")


def test_several_files_are_one_policy():
    metadata = tables("oauth_account", "accesstoken")

    policy = Policy.from_file(
        [preset("fastapi-users-oauth"), preset("fastapi-users-tokens")], metadata
    )

    assert [name for name, rule in policy.tables.items() if rule.close_rules] == [
        "accesstoken",
        "oauth_account",
    ]
    assert policy.tables["oauth_account"].close_rules[0].identifiers == ("account_email",)


def test_what_two_files_say_alike_is_said_once():
    metadata, path = tables("oauth_account"), preset("fastapi-users-oauth")

    twice = Policy.from_file([path, path], metadata)

    assert twice.digest == Policy.from_file(path, metadata).digest


def test_what_two_files_say_differently_is_a_problem(tmp_path):
    other = tmp_path / "other.toml"
    other.write_text('[tables.oauth_account.on_close]\naction = "Delete"\nvia = "user_id"\n')

    policy = Policy.from_file([preset("fastapi-users-oauth"), other], tables("oauth_account"))

    assert "The relationship user_id has more than one action. Keep one of them." in {
        problem.text for problem in check(policy) if problem.code == "E104"
    }


def test_two_files_can_decide_columns_of_one_table(tmp_path):
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text('[tables.oauth_account.personal]\naccount_email = "Clear"\n')
    second.write_text('[tables.oauth_account]\nnot_personal = ["id"]\n')

    rule = Policy.from_file([first, second], tables("oauth_account")).tables["oauth_account"]

    assert [name for name, marks in rule.columns.items() if marks] == ["id", "account_email"]


def test_a_preset_for_a_table_that_is_not_there_is_refused():
    with pytest.raises(PolicyFileError, match="accesstoken is not a table of the models"):
        Policy.from_file(preset("fastapi-users-tokens"), tables("oauth_account"))
