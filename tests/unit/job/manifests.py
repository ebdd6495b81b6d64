"""A manifest to change, and how tests parse, build and check it."""

from pathlib import Path

from cronlift.errors import ManifestError
from cronlift.job.documents import Places
from cronlift.job.manifest import Defaults, build_objects
from cronlift.job.naming import TaskIdentity
from cronlift.job.objects import Objects
from cronlift.job.parse import parse
from cronlift.job.review import check_sources
from cronlift.job.sources import collect
from cronlift.job.template import Images

FIXTURES = Path(__file__).parents[2] / "manifests"
IDENTITY = TaskIdentity("cronlift/cronlift", "demo__a", "manual__1", "export", -1, 1, "0197f2")
DEFAULTS = Defaults("team-demo", "cronlift-job")
PLACES = Places("jobs/a.yaml", has_lines=True)
GOOD = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: mine
  labels: {app: export}
spec:
  template:
    spec:
      containers:
        - name: main
          image: "{{ images.legacy }}"
          command: [sh, -c, "echo {{ ds }}"]
"""
CONFIG = """\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: "{{ job_name }}-config"
data:
  a.conf: "b"
"""
SECRET = """\
---
apiVersion: v1
kind: Secret
metadata:
  name: "{{ job_name }}-db"
stringData:
  password: %s
"""
CLAIM = """\
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: "{{ job_name }}-data"
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""


def built(text: str = GOOD, defaults: Defaults = DEFAULTS, identity: TaskIdentity = IDENTITY) -> Objects:
    """Build rendered text; `{{ ... }}` in it counts as text."""
    return build_objects(parse(text, PLACES), identity, defaults, "hash", PLACES)


def rendered(text: str) -> str:
    """Fill in what tests of building need, as rendering would."""
    return text.replace("{{ job_name }}", "the-job").replace("{{ images.legacy }}", "x:1").replace("{{ ds }}", "d")


def checked(text: str, folder: Path, **more) -> str:
    """Return the error that a manifest file gives at parse time; empty when it is accepted."""
    (folder / "a.yaml").write_text(text)
    try:
        check_sources(collect("a.yaml", [folder]), Images({"legacy": "x:1"}), **more)
    except ManifestError as error:
        return str(error)
    return ""


def advice(text: str, folder: Path, retries: int = 0) -> list[str]:
    """Return the warnings that a manifest file gives at parse time."""
    (folder / "a.yaml").write_text(text)
    found = check_sources(collect("a.yaml", [folder]), Images({"legacy": "x:1"}), values=(), retries=retries)
    return [str(each) for each in found]
