"""What is told of the legacy image."""

import pytest

from cronlift.crontab.decisions import User
from cronlift.crontab.image import Image

IMAGE = Image(
    scripts=frozenset({"/opt", "/opt/a", "/opt/a/run.sh", "/bin/own"}),
    packaged=frozenset({"/bin", "/usr", "/usr/bin", "/usr/bin/php", "/usr/sbin/cron", "/usr/lib/php", "/etc/passwd"}),
    users={"mara": User(1004, 1004, "/home/mara")},
)


@pytest.mark.parametrize(
    ("path", "presence"),
    [
        ("/opt/a/run.sh", "present"),
        ("/opt/a/", "present"),
        ("/opt/a/../a/run.sh", "present"),
        ("/opt/b.sh", "missing"),
        ("/usr/bin/php", "present"),
        ("/bin/php", "present"),
        ("/bin/own", "present"),
        ("/bin/ruby", "missing"),
        ("/etc/passwd", "present"),
        ("/usr/lib/php/20/x.so", "unknown"),
        ("/usr/lib/mailman/bin/x", "missing"),
        ("/home/mara", "present"),
        ("/home/mara/x.sh", "missing"),
        ("/tmp/x", "present"),
        ("/dev/null", "present"),
        ("/tmpx", "missing"),
        ("/opt/*/run.sh", "unknown"),
        ("opt/a", "unknown"),
    ],
)
def test_path_in_the_image(path, presence):
    assert IMAGE.has(path) == presence


@pytest.mark.parametrize(
    ("word", "search", "folder", "presence"),
    [
        ("php", "/usr/bin:/bin", None, "present"),
        ("php", "/bin", None, "present"),
        ("php", "/opt", None, "missing"),
        ("cron", "/usr/bin:/bin", None, "missing"),
        ("cron", "/usr/bin:/usr/sbin", None, "present"),
        ("ruby", "/usr/bin:$HOME/bin", None, "unknown"),
        ("./run.sh", "", "/opt/a", "present"),
        ("./run.sh", "", "/opt", "missing"),
        ("./run.sh", "", None, "unknown"),
        ("~/run.sh", "", "/opt", "unknown"),
        ("$DIR/run.sh", "", "/opt", "unknown"),
    ],
)
def test_program_in_the_image(word, search, folder, presence):
    assert IMAGE.has_program(word, search, folder) == presence


def test_without_a_list_of_contents_what_packages_bring_is_not_known():
    image = Image(frozenset({"/opt/a.sh"}))
    assert image.has("/usr/bin/php") == image.has("/bin/ls") == image.has("/etc/x") == "unknown"
    assert image.has("/opt/b.sh") == "missing"
