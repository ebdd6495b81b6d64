"""The daemon is found out from what was handed over."""

import pytest

from cronlift.crontab.flavour import sniff_flavour
from cronlift.crontab.host_facts import HostFacts
from cronlift.crontab.model import Flavour, Source
from cronlift.errors import FlavourError


def tab(text: str = "0 1 * * * /x\n", path: str = "tab", kind: str = "user") -> Source:
    return Source(path, text.encode(), kind=kind)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (HostFacts(os_release="NAME=x\nID=debian\n"), Flavour.DEBIAN),
        (HostFacts(os_release='ID="ubuntu"\nID_LIKE=debian\n'), Flavour.DEBIAN),
        (HostFacts(os_release='ID="rocky"\nID_LIKE="rhel centos fedora"\n'), Flavour.CRONIE),
        (HostFacts(os_release='ID="opensuse-leap"\nID_LIKE="suse opensuse"\n'), Flavour.CRONIE),
        (HostFacts(os_release="ID=arch\n"), Flavour.CRONIE),
        (HostFacts(paths=frozenset({"etc/debian_version"})), Flavour.DEBIAN),
        (HostFacts(paths=frozenset({"etc/redhat-release"})), Flavour.CRONIE),
        (HostFacts(declared_flavour="cronie", os_release="ID=debian\n"), Flavour.CRONIE),
    ],
)
def test_facts_of_the_host_decide(facts: HostFacts, expected: Flavour) -> None:
    found = sniff_flavour([tab()], facts)
    assert found.flavour is expected
    assert found.sure


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("var/spool/cron/crontabs/joe", Flavour.DEBIAN),
        ("var/spool/cron/joe", Flavour.CRONIE),
        ("var/spool/cron/tabs/joe", Flavour.CRONIE),
    ],
)
def test_the_place_of_the_spool_decides(path: str, expected: Flavour) -> None:
    found = sniff_flavour([tab(path=path)])
    assert (found.flavour, found.sure) == (expected, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SHELL=/bin/bash\nPATH=/sbin:/bin:/usr/sbin:/usr/bin\nMAILTO=root\n", Flavour.CRONIE),
        ("# For details see man 4 crontabs\n", Flavour.CRONIE),
        ("CRON_TZ=UTC\n0 1 * * * x\n", Flavour.CRONIE),
        ("RANDOM_DELAY=5\n", Flavour.CRONIE),
        ("A=\n", Flavour.CRONIE),
        ("0~30 1 * * * x\n", Flavour.CRONIE),
        ("0 1 * * * apache x\n", Flavour.CRONIE),
        ("0 1 * * * yum -y update\n", Flavour.CRONIE),
        ("# Edit this file to introduce tasks to be run by cron.\n", Flavour.DEBIAN),
        ("# Unlike any other crontab you don't have to run the `crontab'\n", Flavour.DEBIAN),
        ("0 1 * * * root run-parts --report /etc/cron.daily\n", Flavour.DEBIAN),
        ("0 1 * * * www-data x\n", Flavour.DEBIAN),
    ],
)
def test_habits_decide_where_there_are_no_facts(text: str, expected: Flavour) -> None:
    found = sniff_flavour([tab(text)])
    assert (found.flavour, found.sure) == (expected, False)
    assert found.clues
    assert "tab: " in found.explain()


def test_debian_is_assumed_where_nothing_speaks_for_either() -> None:
    found = sniff_flavour([tab()])
    assert (found.flavour, found.sure, found.clues) == (Flavour.DEBIAN, False, ())
    assert "--flavour" in found.explain()


def test_two_hosts_in_one_tree_are_a_fault() -> None:
    with pytest.raises(FlavourError, match=r"two hosts: .*crontabs/joe.*\(Debian's cron\), .*cron/ann.*\(cronie\)"):
        sniff_flavour([tab(path="a/var/spool/cron/crontabs/joe"), tab(path="b/var/spool/cron/ann")])


def test_habits_do_not_overrule_facts() -> None:
    found = sniff_flavour([tab("CRON_TZ=UTC\n", "var/spool/cron/crontabs/joe")])
    assert found.flavour is Flavour.DEBIAN


def test_scripts_are_no_clue() -> None:
    assert sniff_flavour([tab("yum update\n", "etc/cron.daily/x", "run-parts")]).clues == ()
