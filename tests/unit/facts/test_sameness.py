"""Which files are parsed once, since they make the same DAGs in every process."""

import pytest

from cronlift.facts.sameness import same_in_every_process

PLAIN = """\
from datetime import datetime
from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable

from cronlift import KubernetesJobOperator

for name, shop in {"a": "paris", "b": "lyon"}.items():
    with DAG(f"billing__{name}", start_date=datetime(2026, 1, 1), tags=["x"]) as dag:
        KubernetesJobOperator(task_id="run", manifest="jobs/a.yaml", values={"shop": shop})
    globals()[dag.dag_id] = dag
"""


def test_a_plain_file_is_the_same_in_every_process() -> None:
    assert same_in_every_process({"a.py": PLAIN, "sub/b.py": PLAIN}) == {"a.py", "sub/b.py"}


@pytest.mark.parametrize(
    "line",
    [
        'names = {"a", "b"}',
        "names = {each for each in 'ab'}",
        "names = set('ab')",
        "names = frozenset('ab')",
        "number = hash('a')",
        "names = {'a': 1}.keys() & {'b': 1}.keys()",
        "words = ' '.join(dag.tags)",
        "ids = list(task.upstream_task_ids)",
        "at = datetime.now()",
        "files = list(Path('.').glob('*'))",
        "import random",
        "from uuid import uuid4",
        "import a_package_of_the_image",
        "from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator",
        "from . import shared",
        "with (",
    ],
)
def test_what_may_vary_is_doubted(line: str) -> None:
    assert same_in_every_process({"a.py": f"{PLAIN}{line}\n", "b.py": PLAIN}) == {"b.py"}


def test_a_file_is_as_doubtful_as_what_it_imports_of_its_own_folder() -> None:
    sources = {
        "direct.py": f"{PLAIN}import shops\n",
        "far.py": f"{PLAIN}from lib.near import NAMES\n",
        "lib/near.py": "from shops import NAMES\n",
        "lib/other.py": "",
        "plain.py": f"{PLAIN}from words import WORDS\n",
        "shops.py": "NAMES = {'a', 'b'}\n",
        "words.py": "WORDS = ['a', 'b']\n",
    }
    assert same_in_every_process(sources) == {"lib/other.py", "plain.py", "words.py"}
