"""Addresses in a browser, for the URLs that people clone from; never with what is secret in them."""

import pytest

from cronlift.bundle.forge import folder_address, web_address

COMMIT = "c0ffee"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://github.com/acme/dags.git", "https://github.com/acme/dags/tree/c0ffee/dags/demo"),
        ("https://user:token@github.com/acme/dags", "https://github.com/acme/dags/tree/c0ffee/dags/demo"),
        ("git@github.com:acme/dags.git", "https://github.com/acme/dags/tree/c0ffee/dags/demo"),
        ("ssh://git@gitlab.example.com:2222/a/b/dags.git", "https://gitlab.example.com/a/b/dags/-/tree/c0ffee/dags/demo"),
        ("https://gitlab.com/a/dags/", "https://gitlab.com/a/dags/-/tree/c0ffee/dags/demo"),
        ("https://x:y@bitbucket.org/acme/dags.git", "https://bitbucket.org/acme/dags/src/c0ffee/dags/demo"),
        ("http://gitea.local:3000/a/dags.git", "http://gitea.local:3000/a/dags/src/commit/c0ffee/dags/demo"),
        ("https://codeberg.org/a/dags.git", "https://codeberg.org/a/dags/src/commit/c0ffee/dags/demo"),
        ("https://git.example.com/a/dags.git", None),
        ("git://10.0.0.1/worktree.git", None),
        ("/srv/dags.git", None),
        ("file:///srv/dags.git", None),
        ("https://nothub.example.com/a", None),
    ],
)  # fmt: skip
def test_folder_of_a_commit_is_shown_by_its_forge(url, address):
    assert folder_address(url, COMMIT, "dags/demo") == address


def test_top_of_a_repository_has_no_path():
    assert folder_address("https://github.com/a/b", COMMIT, ".") == "https://github.com/a/b/tree/c0ffee"


def test_template_wins_where_the_host_does_not_tell():
    template = "https://git.example.com/view?c={commit}&p={path}"
    assert folder_address("git://x/y", COMMIT, "dags/a b", template) == (
        "https://git.example.com/view?c=c0ffee&p=dags/a%20b"
    )


def test_no_address_holds_credentials():
    assert web_address("https://user:pass@git.example.com/a/b.git") == "https://git.example.com/a/b"
    assert web_address("user:pass@git.example.com:a/b.git") is None or "pass" not in web_address(
        "user:pass@git.example.com:a/b.git"
    )
