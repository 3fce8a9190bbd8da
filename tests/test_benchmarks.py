import pytest

from benchmarks.peers import beside, parts


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.postgresql
def test_every_package_is_measured_on_both_databases():
    """Each side is looked at for what it left, so this also shows that none did less."""
    pytest.importorskip("gdpr_assist", reason="The packages beside come with the extra bench.")

    measured = [each.measure for each in beside.others(parts.SMALL)]

    for packages in parts.PARTS.values():
        for package in packages:
            for database in ("PostgreSQL", "SQLite"):
                assert any(package in line and line.endswith(database) for line in measured)
    assert len(set(measured)) == len(measured)
