"""Crontabs are found in whatever is handed over, and nothing is read from elsewhere."""

import gzip
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cronlift.cli import crontab_tarball
from cronlift.cli.crontab_files import read_inputs
from cronlift.errors import CrontabError, CrontabFileError

TREE = {
    "etc/crontab": "17 * * * * root /x\n",
    "etc/cron.d/backup": "0 3 * * * root /b\n",
    "etc/cron.daily/logrotate": "#!/bin/sh\n",
    "etc/anacrontab": "1 5 cron.daily run-parts /etc/cron.daily\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\njoe:x:1000:1001:Joe:/home/joe:/bin/sh\n",
    "etc/os-release": "ID=debian\n",
    "etc/timezone": "Europe/Paris\n",
    "etc/default/locale": 'LANG="de_DE.UTF-8"\n',
    "etc/environment": "A=b\n",
    "etc/default/cron": "# x\nEXTRA_OPTS='-L 2'\n",
    "etc/hosts": "127.0.0.1 x\n",
    "var/spool/cron/crontabs/joe": "* * * * * /j\n",
    "var/log/syslog": "x\n",
}
CRONS = {
    "etc/anacrontab": "anacrontab",
    "etc/cron.d/backup": "cron.d",
    "etc/cron.daily/logrotate": "run-parts",
    "etc/crontab": "system",
    "var/spool/cron/crontabs/joe": "user",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "host"
    for name, text in TREE.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (top / "etc/cron.daily/logrotate").chmod(0o755)
    return top


def pack(path: Path, members: dict[str, str | bytes], mode: str = "w:gz", **of_member: object) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uname = len(data), 0o600, "root"
            for key, value in of_member.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(data))
    return path


def found(*paths: object) -> dict[str, str]:
    return {source.path: source.kind for source in read_inputs([str(path) for path in paths]).sources}


def test_a_tree_is_searched_for_crons_files_alone(tree: Path) -> None:
    assert found(tree) == CRONS


@pytest.mark.parametrize("part", ["etc", "var", "etc/cron.d", "etc/cron.daily", "var/spool/cron/crontabs"])
def test_a_part_of_a_tree_is_known_for_what_it_is(tree: Path, part: str) -> None:
    assert found(tree / part) == {name: kind for name, kind in CRONS.items() if name.startswith(part + "/")}


def test_a_tree_says_what_it_knows_of_the_host(tree: Path) -> None:
    facts = read_inputs([str(tree)]).facts
    assert facts.timezone == "Europe/Paris"
    assert (facts.users["joe"].uid, facts.users["joe"].gid, facts.users["joe"].home) == (1000, 1001, "/home/joe")
    assert facts.user_names == {"root", "joe"}
    assert facts.locale == "de_DE.UTF-8"
    assert facts.environment == {"A": "b"}
    assert facts.cron_options == ("EXTRA_OPTS='-L 2'",)
    assert "ID=debian" in facts.os_release


def test_the_zone_comes_from_the_link_where_there_is_no_name(tree: Path) -> None:
    (tree / "etc/timezone").unlink()
    (tree / "etc/localtime").symlink_to("/usr/share/zoneinfo/America/Havana")
    assert read_inputs([str(tree)]).facts.timezone == "America/Havana"


def test_single_files_keep_their_paths(tree: Path) -> None:
    tab = tree / "mine.txt"
    tab.write_text("* * * * * x\n")
    assert found(tab, tree / "etc/crontab") == {tab.as_posix(): "user", (tree / "etc/crontab").as_posix(): "system"}


def test_stdin_is_a_crontab() -> None:
    (source,) = read_inputs(["-"], io.BytesIO(b"* * * * * x\n")).sources
    assert (source.path, source.kind, source.content) == ("stdin", "user", b"* * * * * x\n")


def test_a_folder_of_executables_is_one_for_run_parts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert set(found(tmp_path).values()) == {"run-parts"}


def test_a_folder_of_crontabs_is_read(tmp_path: Path) -> None:
    for name in ("a.crontab", "b.cron", "crontab.bak", "notes.txt"):
        (tmp_path / name).write_text("* * * * * x\n")
    assert {Path(path).name for path in found(tmp_path)} == {"a.crontab", "b.cron", "crontab.bak"}


def test_two_hosts_with_the_same_files_are_told_apart(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "etc"
    other.mkdir(parents=True)
    (other / "crontab").write_text("0 1 * * * root /y\n")
    names = [path for path in found(tree, other.parent) if path.endswith("etc/crontab")]
    assert len(names) == 2


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("prefix", ["", "./", "/", "host/"])
def test_tarballs_are_read_without_unpacking(tmp_path: Path, mode: str, prefix: str) -> None:
    path = pack(tmp_path / "x.tar", {prefix + name: text for name, text in TREE.items()}, mode)
    assert found(path) == CRONS
    inputs = read_inputs([str(path)])
    assert {source.mode for source in inputs.sources} == {0o600}
    assert {source.owner for source in inputs.sources} == {"root"}
    assert inputs.facts.timezone == "Europe/Paris"
    assert [each.name for each in tmp_path.iterdir()] == ["x.tar"]


def test_an_inventory_says_modes_and_facts(tmp_path: Path) -> None:
    members = {f"inventory/root/{name}": text for name, text in TREE.items()}
    members["inventory/meta"] = "format=1\nhost=old1\nflavour=debian\n"
    members["inventory/files.tsv"] = "0640\tjoe\tcrontab\t1000\t104\tfile\t/var/spool/cron/crontabs/joe\t\n"
    members["inventory/facts/timezone"] = "Asia/Kolkata\n"
    members["inventory/facts/passwd"] = "etl:x:1200:1200::/srv/etl:/bin/sh\n"
    members["inventory/facts/packages.tsv"] = "php-cli\t8.2\tamd64\n"
    members["inventory/facts/programs.tsv"] = "php\t/usr/bin/php\nsolo\t\n"
    members["inventory/facts/history.log"] = "x CRON[1]: (joe) CMD (/j)\n"
    members["inventory/unread.tsv"] = "/var/spool/cron/crontabs/ann\tno permission\n"
    inputs = read_inputs([str(pack(tmp_path / "x.tgz", members))])
    assert {source.path: source.kind for source in inputs.sources} == CRONS
    tab = inputs.sources[-1]
    assert (tab.path, tab.mode, tab.owner) == ("var/spool/cron/crontabs/joe", 0o640, "joe")
    assert (inputs.facts.name, inputs.facts.declared_flavour, inputs.facts.timezone) == (
        "old1",
        "debian",
        "Asia/Kolkata",
    )
    assert inputs.facts.user_names == {"root", "joe", "etl"}
    assert inputs.facts.packages == {"php-cli": "8.2"}
    assert inputs.facts.programs == {"php": "/usr/bin/php", "solo": ""}
    assert "CMD (/j)" in inputs.facts.history
    assert inputs.warnings == ("The inventory could not read /var/spool/cron/crontabs/ann: no permission.",)


def test_links_are_followed_within_what_was_handed_over(tree: Path) -> None:
    (tree / "etc/cron.d/same").symlink_to("backup")
    assert read_inputs([str(tree)]).sources[2].content == TREE["etc/cron.d/backup"].encode()


def test_links_out_of_it_are_not_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("* * * * * root /s\n")
    (tree / "etc/cron.d/out").symlink_to(tmp_path / "secret")
    (tmp_path / "weekly").mkdir()
    (tree / "etc/cron.weekly").symlink_to(tmp_path / "weekly")
    inputs = read_inputs([str(tree)])
    assert {source.path for source in inputs.sources} == set(CRONS)
    assert len(inputs.warnings) == 2
    assert all("is a link to" in each for each in inputs.warnings)


def test_links_in_tarballs_stay_inside(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name, target in (("etc/cron.d/in", "real"), ("etc/cron.d/out", "../../../etc/shadow")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
        member = tarfile.TarInfo("etc/cron.d/real")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"#\n"))
    inputs = read_inputs([str(path)])
    assert {source.path: source.content for source in inputs.sources} == {
        "etc/cron.d/in": b"#\n",
        "etc/cron.d/real": b"#\n",
    }
    assert "etc/shadow" in inputs.warnings[0]


@pytest.mark.parametrize("name", ["../etc/crontab", "a/../../etc/crontab", "etc/cron.d/../../../x"])
def test_members_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CrontabFileError, match="leads out of the tarball"):
        read_inputs([str(pack(tmp_path / "x.tar", {name: "x"}))])


def test_a_tarball_that_grows_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crontab_tarball, "UNPACKED_LIMIT_BYTES", 1_000_000)
    path = pack(tmp_path / "x.tgz", {"var/log/big": b"\0" * 2_000_000, **TREE})
    assert path.stat().st_size < 10_000
    with pytest.raises(CrontabFileError, match="holds more than"):
        read_inputs([str(path)])


def test_a_header_of_absurd_size_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1024**3
    path = tmp_path / "x.tgz"
    with gzip.open(path, "wb") as opened:
        opened.write(header.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 4096)
    with pytest.raises(CrontabFileError, match="absurd size"):
        read_inputs([str(path)])


def test_a_large_member_is_read_no_further_than_needed(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tgz", {"etc/crontab": b"# x\n" * 3_000_000})
    (source,) = read_inputs([str(path)]).sources
    assert len(source.content) == 4 * 1024 * 1024 + 1


@pytest.mark.parametrize(
    ("content", "word"),
    [
        pytest.param(b"PK\x03\x04xx", "zip archive", id="zip"),
        pytest.param(b"\x28\xb5\x2f\xfdxx", "zstd archive", id="zstd"),
        pytest.param(b"\x1f\x8bxxxxxxxxxxxx", "cannot be read", id="damaged gzip"),
        pytest.param(gzip.compress(b"* * * * * x\n"), "cannot be read", id="gzip of no tarball"),
    ],
)
def test_other_archives_are_refused_with_the_cure(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(CrontabFileError, match=word):
        read_inputs([str(path)])


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(CrontabError) as caught:
        read_inputs([str(tmp_path / name) for name in ("none", "empty", "x.zip")])
    assert len(caught.value.faults) == 3
    assert "no such file" in str(caught.value)


@contextmanager
def nobody() -> Iterator[None]:
    """Give up root's rights for a while, for root reads everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_what_may_not_be_read_is_told_with_the_cure(tree: Path) -> None:
    for path in (tree.parent, *tree.parents):
        if path.stat().st_uid == os.getuid() and path.stat().st_mode & 0o777 == 0o700:
            path.chmod(0o755)
    (tree / "etc/crontab").chmod(0)
    (tree / "var/spool/cron/crontabs").chmod(0)
    with nobody(), pytest.raises(CrontabError) as caught:
        read_inputs([str(tree)])
    (tree / "var/spool/cron/crontabs").chmod(0o755)
    assert len(caught.value.faults) == 2
    assert all("Permission denied" in str(each) and "sudo" in str(each) for each in caught.value.faults)
    assert "etc/crontab" in str(caught.value)


def test_two_hosts_in_one_place_are_refused(tmp_path: Path) -> None:
    one = pack(tmp_path / "one.tar.gz", {"etc/crontab": "1 1 * * * root /a\n"})
    two = pack(tmp_path / "two.tar.gz", {"etc/crontab": "2 2 * * * root /b\n"})
    assert found(one, one.with_name("one.tar.gz")) == {"etc/crontab": "system"}
    with pytest.raises(CrontabError, match=r"^etc/crontab: Two files of this path .* --host NAME"):
        read_inputs([str(one), str(two)])
