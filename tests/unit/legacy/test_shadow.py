"""What shadow mode finds out about a command."""

from pathlib import Path

import pytest

from images.legacy.cronrun.shadow import Finding, look, split

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("a b /c", [("program", "a"), ("argument", "b"), ("argument", "/c")]),
        ("X=1 a && b; c | d & e", [("program", each) for each in "abcde"]),
        ("a > /x 2>&1", [("program", "a"), ("writes", "/x"), ("argument", "2")]),
        ("a >> '/x y' < /z", [("program", "a"), ("writes", "/x y"), ("reads", "/z")]),
        ("[ -f /x ] && (cd /y; b)", [
            ("program", "["), ("argument", "-f"), ("argument", "/x"), ("argument", "]"),
            ("program", "cd"), ("argument", "/y"), ("program", "b"),
        ]),
        ("if a; then b; fi", [("program", "a"), ("program", "b")]),
        ("for i in 1 2; do a $i; done", [("argument", "i"), ("argument", "in"), ("argument", "1"), ("argument", "2"),
                                        ("program", "a"), ("argument", "$i")]),
        ("a 'b|c' # d", [("program", "a"), ("argument", "b|c"), ("argument", "#"), ("argument", "d")]),
    ],
)  # fmt: skip
def test_words_of_a_command(command: str, expected: list[tuple[str, str]]) -> None:
    assert list(split(command)) == expected


def found(command: str, folder: Path, shell: str = "/bin/sh") -> list[Finding]:
    return look(command, shell, ENVIRONMENT, str(folder))


def test_programs_are_looked_up_by_the_jobs_own_shell(tmp_path: Path) -> None:
    findings = found("cd / && nosuchprogram x", tmp_path)
    assert Finding(True, "program cd: cd") in findings
    assert Finding(False, "program nosuchprogram is not in the image (PATH=/usr/bin:/bin)") in findings


def test_program_without_x_bit_is_told_from_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("")
    assert Finding(False, f"program {tmp_path}/run.sh is there, but may not be run by this user") in found(
        f"{tmp_path}/run.sh", tmp_path
    )


def test_files_and_folders(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("")
    findings = found(f"cat < {there} > {tmp_path}/none/x {tmp_path}/new {tmp_path}/no/way", tmp_path)
    assert Finding(True, f"reads {there}") in findings
    assert [each.well for each in findings if each.text.startswith(f"writes {tmp_path}/none/x")] == [False]
    assert Finding(None, f"path {tmp_path}/new is not there yet, its folder is") in findings
    assert Finding(False, f"path {tmp_path}/no/way is not there, nor is its folder") in findings


def test_what_the_shell_expands_is_not_guessed(tmp_path: Path) -> None:
    assert Finding(None, "argument $HOME/x is only known when it runs") in found("cat $HOME/x", tmp_path)


def test_command_that_the_shell_cannot_read(tmp_path: Path) -> None:
    assert [each.well for each in found("if true", tmp_path)] == [True, False]


def test_missing_shell_is_one_fault(tmp_path: Path) -> None:
    assert found("true", tmp_path, "/bin/nosuch") == [
        Finding(False, "shell /bin/nosuch cannot be run here. Add it to the image")
    ]


def test_nothing_of_the_command_runs(tmp_path: Path) -> None:
    found(f"touch {tmp_path}/ran; $(touch {tmp_path}/ran); `touch {tmp_path}/ran`", tmp_path)
    assert not (tmp_path / "ran").exists()
