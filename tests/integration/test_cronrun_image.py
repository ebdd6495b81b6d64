"""cronrun in the built image, as an imported line's Pod runs it: own uid, read-only root, no capability, no network."""

import json
import os
import shutil
from pathlib import Path

import pytest

from ci.image_runner import Finished, Unpacked
from tests.integration.image_fixtures import Open, image  # noqa: F401 - a fixture
from tests.integration.real_cron import LEGACY_FOLDER, write_folder

JOB = "/etc/cronlift/job"
LEGACY = {"user": "legacy"}

SMTP_SINK = """
import socket, sys
with socket.create_server(("127.0.0.1", 2525)) as server, open(sys.argv[1], "w") as log:
    print("up", file=open(sys.argv[1] + ".up", "w"))
    peer, _ = server.accept()
    with peer, peer.makefile("rw", newline="\\r\\n") as talk:
        print("220 sink", file=talk, flush=True)
        in_data = False
        for line in talk:
            log.write(line)
            word = line.split(" ")[0].strip().upper()
            if in_data:
                in_data = line.strip() != "."
                answer = None if in_data else "250 kept"
            else:
                in_data = word == "DATA"
                answer = {"DATA": "354 go on", "QUIT": "221 bye"}.get(word, "250 well")
            if answer:
                log.flush()
                print(answer, file=talk, flush=True)
"""

KITCHEN = """#!/bin/sh
# As Pentaho's own: finds Java by PENTAHO_JAVA_HOME, keeps settings in KETTLE_HOME, writes caches below itself.
cd "$(dirname "$0")" || exit 7
test -n "$SKIP_WEBKITGTK_CHECK" || { echo "webkitgtk is missing"; exit 8; }
"$PENTAHO_JAVA_HOME/bin/java" -version || exit 9
mkdir -p "$KETTLE_HOME/.kettle" && touch "$KETTLE_HOME/.kettle/kettle.properties" || exit 10
touch system/karaf/caches/lock || exit 11
echo "Kitchen - Finished! $1"
"""


def run(legacy: Unpacked, folder: Path, *, volumes: dict[str, Path] | None = None, **options: object) -> Finished:
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    return legacy.run("/usr/local/bin/cronrun", "demo__job", volumes={JOB: folder, **(volumes or {})}, **options)


def test_job_gets_the_old_hosts_world(image: Open, tmp_path: Path) -> None:  # noqa: F811
    script = "env | sort; pwd; umask; date +%Z"
    folder = write_folder(tmp_path / "job", script, None, {"MAILTO": "ops", "TZ_NOTE": "none"}, **LEGACY)
    log = tmp_path / "termination"
    log.touch()
    log.chmod(0o666)
    done = run(image("legacy"), folder, volumes={"/dev/termination-log": log}, environment={"LEAK": "1"})
    assert done.code == 0, done.out
    *lines, last = done.out.splitlines()
    assert lines[:-1] == [
        "HOME=/home/legacy",
        "LANG=en_US.UTF-8",
        "LOGNAME=legacy",
        "MAILTO=ops",
        "PATH=/usr/bin:/bin",
        "PWD=/home/legacy",
        "SHELL=/bin/sh",
        "TZ_NOTE=none",
        "/home/legacy",
        "0022",
    ]
    assert lines[-1] in {"CET", "CEST"}
    assert last.startswith("cronrun: demo__job ran: exit 0, signal none, ")
    assert json.loads(log.read_text())["outcome"] == "ran"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("java -version 2>&1", "OpenJDK"),
        ("mysql --version", "MariaDB"),
        ("mysqldump --version", "MariaDB"),
        ("psql --version", "psql (PostgreSQL)"),
        ("ssh -V 2>&1", "OpenSSH"),
        ("gpg --version", "GnuPG"),
        ("lftp --version", "LFTP"),
        ('php -r \'echo extension_loaded("gd") && extension_loaded("soap") ? "both" : "no";\'', "both"),
        ("echo x | bc; zip -v | head -n 1; unzip -v | head -n 1", "Zip"),
    ],
    ids=["java", "mysql", "mysqldump", "psql", "ssh", "gpg", "lftp", "php", "zip"],
)
def test_programs_of_crontabs_are_there(image: Open, tmp_path: Path, command: str, words: str) -> None:  # noqa: F811
    done = run(image("legacy"), write_folder(tmp_path / "job", command, None, {}, **LEGACY))
    assert done.code == 0, done.out
    assert words in done.out


def test_end_of_the_pod_reaches_the_jobs_session_through_tini(image: Open, tmp_path: Path) -> None:  # noqa: F811
    script = "trap 'echo got it; exit 7' TERM; (trap 'echo child too; exit' TERM; echo up; sleep 60 & wait) & wait"
    folder = write_folder(tmp_path / "job", script, None, {}, **LEGACY)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    running = image("legacy").start("cronrun", "demo__job", volumes={JOB: folder})
    try:
        running.wait_for("up")
        running.signal("TERM")
        assert running.process.wait(20) == 7
        log = running.log.read_text()
        assert {"got it", "child too"} <= set(log.splitlines())
        assert "ran: exit 7" in log
    finally:
        running.stop()


def test_mail_goes_out_by_the_images_sendmail(image: Open, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o777)
    (out / "sink.py").write_text(SMTP_SINK)
    settings = tmp_path / "msmtprc"
    settings.write_text("account default\nhost 127.0.0.1\nport 2525\nfrom cron@old.example.org\n")
    settings.chmod(0o644)
    script = (
        "/usr/bin/python3 /out/sink.py /out/mail > /dev/null 2>&1 & "
        "until [ -e /out/mail.up ]; do sleep 0.1; done; echo three hours late; exit 3"
    )
    mail = {"mode": "failure", "to": "ops@example.org"}
    folder = write_folder(tmp_path / "job", script, None, {}, mail=mail, **LEGACY)
    done = run(image("legacy"), folder, volumes={"/out": out, "/etc/msmtprc": settings})
    assert done.code == 3
    assert "mail sent to ops@example.org" in done.out
    assert "left in the background, ends with the Pod: " in done.out
    text = (out / "mail").read_text()
    assert "RCPT TO:<ops@example.org>" in text
    assert "From: root (Cron Daemon)" in text
    assert "\nthree hours late\n" in text.replace("\r", "")


def test_shadow_mode_tells_what_the_image_lacks(image: Open, tmp_path: Path) -> None:  # noqa: F811
    command = "cd /opt/linkwatch && python manage.py fill && /opt/none/report.sh > /var/log/none/report.log"
    done = run(image("legacy"), write_folder(tmp_path / "job", command, None, {}, shadow=True, **LEGACY))
    assert done.code == 1
    lines = [line.removeprefix("cronrun: ") for line in done.out.splitlines()]
    assert "ok       path /opt/linkwatch" in lines
    assert any(line.startswith("ok       program python: /usr/bin/python") for line in lines)
    assert "MISSING  program /opt/none/report.sh is not in the image. Add it under rootfs/" in lines
    assert any(line.startswith("MISSING  writes /var/log/none/report.log") for line in lines)


def test_pentahos_kitchen_finds_java_and_its_writable_folders(image: Open, tmp_path: Path) -> None:  # noqa: F811
    place = tmp_path / "data-integration"
    (place / "system/karaf/caches").mkdir(parents=True)
    (place / "system/karaf/caches").chmod(0o777)
    (place / "kitchen.sh").write_text(KITCHEN)
    (place / "kitchen.sh").chmod(0o755)
    kettle = tmp_path / "kettle"
    kettle.mkdir()
    kettle.chmod(0o777)
    tab = {
        "KETTLE_HOME": "/secret/kettle",
        "SKIP_WEBKITGTK_CHECK": "1",
        "PENTAHO_JAVA_HOME": "/usr/lib/jvm/default-java",
    }
    folder = write_folder(tmp_path / "job", "/opt/pentaho/data-integration/kitchen.sh -file=x.kjb", None, tab, **LEGACY)
    volumes = {"/opt/pentaho/data-integration": place, "/secret/kettle": kettle}
    done = run(image("legacy"), folder, volumes=volumes)
    assert done.code == 0, done.out
    assert "Kitchen - Finished! -file=x.kjb" in done.out


def test_start_of_cronrun_is_compiled(image: Open) -> None:  # noqa: F811
    root = image("legacy").root / "usr/local/lib/cronrun"
    modules = {path.stem for path in root.glob("*.py")}
    assert {path.name.partition(".")[0] for path in (root / "__pycache__").glob("*.pyc")} == modules
    for path in root.glob("*.py"):
        cached = next((root / "__pycache__").glob(f"{path.stem}.*.pyc")).read_bytes()
        assert int.from_bytes(cached[8:12], "little") == int(path.stat().st_mtime)


def test_users_have_their_ids_and_homes(image: Open) -> None:  # noqa: F811
    done = image("legacy").run("/bin/bash", "-c", "getent passwd legacy; stat -c '%u:%g' /home/legacy")
    assert done.out.splitlines() == ["legacy:x:1000:1000::/home/legacy:/bin/bash", "1000:1000"]
    assert os.stat(image("legacy").root / "usr/local/bin/cronrun").st_mode & 0o111


def test_users_of_the_old_host_get_their_old_ids(image: Open, tmp_path: Path) -> None:  # noqa: F811
    legacy = image("legacy")
    etc = tmp_path / "etc"
    shutil.copytree(legacy.root / "etc", etc, symlinks=True)
    shutil.copy(LEGACY_FOLDER / "add-users", etc / "add-users")
    script = "sh /etc/add-users www-data:1033:1033:/tmp shop:5000:1033:/tmp app:33:5001:/tmp && getent passwd"
    done = legacy.run("/bin/sh", "-c", script, user=(0, 0), volumes={"/etc": etc})
    assert done.code == 0, done.out
    users = {line.split(":")[0]: line.split(":")[2:4] for line in done.out.splitlines() if line.count(":") == 6}
    assert (users["www-data"], users["shop"], users["app"]) == (["1033", "1033"], ["5000", "1033"], ["33", "5001"])
    wrong = legacy.run("/bin/sh", "/etc/add-users", "shop", user=(0, 0), volumes={"/etc": etc})
    assert wrong.code == 1
    assert "is not name:uid:gid:home" in wrong.out
