"""The commands of docs/new-app.md, run as they stand: from the first file to the platform's pull request."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci.image_build import BuildahBuilder, choose_builder
from ci.image_recipes import base_tag
from ci.image_runner import WHY_NOT_HERE
from ci.paths import ROOT, cache_dir
from tests.live.page import IDENTITY, clone, commands, git

PAGE = "docs/new-app.md"
IMAGE = "registry.example.com/cronlift/invoice-mailer"
Say = Callable[[str], str]


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    """Return a clone of this repository as it is on disk, whose origin is a bare repository."""
    folder, origin = clone(tmp_path / "platform"), tmp_path / "platform.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", origin], check=True)
    git(folder, "remote", "add", "origin", str(origin))
    git(folder, "push", "--quiet", "--set-upstream", "origin", "main")
    return folder


@pytest.fixture
def say(platform: Path, tmp_path: Path) -> Iterator[Say]:
    """Run a block of the page in the platform's clone, as a user's shell does."""
    builder = choose_builder(tmp_path / "build.log")
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "app.git"], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment |= {
        "MAKEFLAGS": f"PYTHON={sys.executable}",
        "APP_URL": str(tmp_path / "app.git"),
        **IDENTITY,
    }
    if isinstance(builder, BuildahBuilder):
        environment |= without_engine(builder, tmp_path)

    def run(command: str, **more: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", command], cwd=platform, env=environment | more, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    yield run
    for tag in ("try", "0.1.0"):
        builder.forget(f"{IMAGE}:{tag}")
    builder.close()


def without_engine(builder: BuildahBuilder, work: Path) -> dict[str, str]:
    """Return the variables of the page's Makefile that build and run an image without Docker and without a registry."""
    if not shutil.which("runc"):
        pytest.skip(f"{WHY_NOT_HERE}; missing: runc")
    builder._ensure_base(base_tag(), work / "build.log")
    storage = ("--root", str(cache_dir() / "buildah/root"), "--runroot", str(cache_dir() / "buildah/run"))
    runner = work / "run-image"
    runner.write_text(RUN_IMAGE.format(python=sys.executable, root=ROOT, work=work / "unpacked", storage=storage))
    runner.chmod(0o755)
    build = ("buildah", *storage, "--storage-driver", "overlay", "build", "--isolation", "chroot", "--network", "host")
    return {
        "BASE": f"localhost/cronlift/debian:{base_tag()}",
        "BUILD": " ".join([*build, "--pull-never", "--format", "oci", "--quiet"]),
        "RUN": str(runner),
    }


RUN_IMAGE = """\
#!{python}
import sys
sys.path.insert(0, "{root}")
from pathlib import Path
from ci.image_runner import remove, unpack
from ci.images import Image
from ci.process import run
work = Path("{work}")
work.mkdir()
storage = dict(zip({storage}[::2], {storage}[1::2]))
archive = work / "image.tar"
source = "containers-storage:[overlay@%s+%s]%s" % (storage["--root"], storage["--runroot"], sys.argv[1])
run("skopeo", "copy", "--dest-oci-accept-uncompressed-layers", source, "oci-archive:%s:x" % archive)
image = unpack(Image("app", "try", archive), work)
assert image.config["User"] == "10001:10001", image.config
done = image.run(*image.config["Entrypoint"], *sys.argv[2:])
print(done.out, end="")
remove(work)
sys.exit(done.code)
"""
"""Runs an image as a pod would: its own uid, a read-only root, no capability; instead of the page's `docker run`."""


def test_the_page_leads_from_the_first_file_to_the_platforms_pull_request(
    platform: Path, say: Say, tmp_path: Path
) -> None:
    write, try_it, publish = commands(PAGE, "Write the repository")
    assert "✓ Wrote" in say(write)
    said = say(try_it)
    assert said.count("greets whom it is told to") == 2
    say(publish)

    (release,) = commands(PAGE, "Release")
    say(release)
    origin = str(tmp_path / "platform.git")
    # What the workflow does then; make push needs a registry.
    app = "cd ../invoice-mailer && "
    assert "greets" in say(app + "make image test-image")
    command = str(Path(sys.executable).parent / "cronlift")
    assert say(app + "make bump", PLATFORM=origin, CRONLIFT=command).endswith("Next: open its pull request\n")
    diff = say("git fetch --quiet && git diff --unified=0 main origin/bump-invoice-mailer-0.1.0")
    changed = [line for line in diff.splitlines() if re.match(r"[+-][^+-]", line)]
    assert changed == [f"+  invoice-mailer: {IMAGE}:0.1.0"] * 2
    assert "bump-invoice-mailer-0.1.0 is there already\n" in say(app + "make bump", PLATFORM=origin, CRONLIFT=command)
    say("git merge --quiet --ff-only origin/bump-invoice-mailer-0.1.0 && git push --quiet origin main")
    say(f"git push --quiet --delete {origin} bump-invoice-mailer-0.1.0")
    assert "has registry.example.com/cronlift/invoice-mailer:0.1.0 already" in say(
        app + "make bump", PLATFORM=origin, CRONLIFT=command
    )

    (schedule,) = commands(PAGE, "Say when it runs")
    say(schedule)
    assert "images['invoice-mailer']" in (platform / "dags/demo/jobs/mail_invoices.yaml").read_text()
    (go_back,) = commands(PAGE, "Go back")
    assert "Nothing to change" in say(go_back)
