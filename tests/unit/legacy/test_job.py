"""What a job's folder says, and what it must not say."""

from pathlib import Path

import pytest

from images.legacy.cronrun.job import Job, JobError, Redirect, read_job
from tests.unit.legacy.cronrun_folder import write_job


def test_folder_with_a_command_alone_is_a_job(tmp_path: Path) -> None:
    assert read_job(str(write_job(tmp_path, "echo 1"))) == Job(command=b"echo 1")


def test_every_file_is_read(tmp_path: Path) -> None:
    folder = write_job(
        tmp_path,
        b"printf '\xff'",
        stdin="a\nb\n",
        environment={"A": "b c"},
        options={
            "flavour": "cronie",
            "user": "www",
            "home": "/var/www",
            "mail": {"mode": "failure", "to": "ops@example.org"},
            "ok_exit_codes": [0, 1],
            "lock": {"path": "/var/lock/x", "late_seconds": 30},
            "shadow": True,
            "language": "de_DE.UTF-8",
            "secrets": ["PASSWORD"],
            "redirect": {"mode": "tee", "streams": "stdout", "path": "/var/log/x", "append": False},
        },
        line="etc/crontab:12\n",
        run_id="scheduled__2026-01-01T03:00:00+00:00",
    )
    assert read_job(str(folder)) == Job(
        command=b"printf '\xff'",
        stdin=str(folder / "stdin"),
        environment={"A": "b c"},
        flavour="cronie",
        user="www",
        home="/var/www",
        mail_mode="failure",
        mail_to="ops@example.org",
        ok_exit_codes=(0, 1),
        late_seconds=30,
        lock="/var/lock/x",
        shadow=True,
        language="de_DE.UTF-8",
        secrets=("PASSWORD",),
        redirect=Redirect("tee", "stdout", "/var/log/x", append=False),
        line="etc/crontab:12",
        planned="scheduled__2026-01-01T03:00:00+00:00",
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"options": "{"}, "options cannot be read"),
        ({"options": "[]"}, "holds no JSON object"),
        ({"options": {"colour": 1}}, "colour is not known"),
        ({"options": {"flavour": "vixie"}}, "flavour is 'vixie'. Use one of debian, cronie"),
        ({"options": {"mail": {"mode": "always"}}}, "mail.mode is 'always'"),
        ({"options": {"redirect": "tee"}}, "redirect.path is missing"),
        ({"environment": {"A": 1}}, "A is no text"),
    ],
    ids=["no JSON", "a list", "unknown option", "unknown daemon", "unknown mode", "tee without a file", "a number"],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, files: dict, words: str) -> None:
    with pytest.raises(JobError, match=words.replace("[", r"\[")):
        read_job(str(write_job(tmp_path, "true", **files)))


def test_folder_that_is_not_mounted_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="Mount the Pod's"):
        read_job(str(tmp_path / "none"))


def test_command_with_a_nul_byte_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="NUL byte"):
        read_job(str(write_job(tmp_path, b"a\0b")))
