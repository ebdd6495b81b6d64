"""What Airflow's DAG processor would end over is refused before; by Airflow's own functions."""

import zipfile
from pathlib import Path

import pytest

from cronlift.airflow.dag_files import list_files
from cronlift.errors import ContentRefusedError

# Airflow 3.3.2 reads .airflowignore by a class that its library calls outdated.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

DAG = "from airflow.sdk import DAG\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "a.py").write_text(DAG)
    (tmp_path / "helper.py").write_text("NAME = 'alpha'\n")
    return tmp_path


def encrypted(path: Path) -> None:
    """Write an archive whose one member claims to be encrypted."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dag.py", DAG)
    content = path.read_bytes()
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(signature) + flags
        content = content[:at] + bytes([content[at] | 1]) + content[at + 1 :]
    path.write_bytes(content)


def test_dag_files_are_those_that_airflow_parses(folder: Path) -> None:
    (folder / "ignored.py").write_text(DAG)
    (folder / "again").symlink_to("jobs")
    (folder / ".airflowignore").write_text("ignored.py\nagain\n")
    (folder / "link.py").symlink_to("a.py")
    (folder / "broken.zip").write_bytes(b"PK\x05\x06 is no archive")
    with zipfile.ZipFile(folder / "many.zip", "w") as archive:
        archive.writestr("dag.py", DAG)
    assert [each.name for each in list_files(folder)] == ["a.py", "link.py", "many.zip"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "again").symlink_to("jobs"), ["again is a symbolic link to a folder", "Link to"]),
        (lambda folder: (folder / ".airflowignore").write_text("!\n"), ["cannot read .airflowignore", "'!'"]),
        (lambda folder: (folder / "jobs/.airflowignore").write_text("[z-a]\n"), ["cannot read jobs/.airflowignore"]),
        (lambda folder: (folder / ".airflowignore").write_bytes(b"caf\xe9\n"), ["cannot read .airflowignore", "0xe9"]),
        (lambda folder: encrypted(folder / "data.bin"), ["cannot read the archive data.bin", "encrypted"]),
        (lambda folder: (folder / "caf\udce9.py").write_text(DAG), ["caf\\xe9.py", "no name in UTF-8"]),
    ],
    ids=["folder twice", "lone negation", "bad range", "Latin-1", "encrypted archive", "Latin-1 name"],
)
def test_what_airflow_fails_over_is_refused_with_its_place(folder: Path, spoil, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    spoil(folder)
    with pytest.raises(ContentRefusedError) as caught:
        list_files(folder)
    assert [each for each in words if each not in str(caught.value)] == []


def test_archive_that_would_fill_the_memory_is_refused_unread(folder: Path) -> None:
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.py", bytes(60 * 1024 * 1024))
    with pytest.raises(ContentRefusedError, match=r"zeros\.py in the archive bomb\.zip has 60 MiB, more than 50 MiB"):
        list_files(folder)
