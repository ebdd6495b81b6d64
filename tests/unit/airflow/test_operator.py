"""The operator as the DAG processor, the scheduler and a worker see it (Airflow 3.3.2)."""

import json
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from airflow.serialization.serialized_objects import DagSerialization

from cronlift import KubernetesJobOperator
from cronlift.airflow.trigger import JobTrigger
from cronlift.airflow.trigger_arguments import DEFAULTS
from cronlift.errors import JobError, JobFailedError, OperatorArgumentError
from tests.unit.airflow.conftest import MANIFEST


def task_of(bag, dag_id: str = "demo__a", task_id: str = "x"):
    assert bag.import_errors == {}
    return bag.dags[dag_id].get_task(task_id)


def serialized(bag, dag_id: str = "demo__a"):
    assert bag.import_errors == {}
    return DagSerialization.from_dict(DagSerialization.to_dict(bag.dags[dag_id]))


def trigger_kwargs(task) -> dict:
    """Decode the arguments as the scheduler stores and the triggerer reads them."""
    return DEFAULTS | smart_decode_trigger_kwargs(task.start_trigger_args.trigger_kwargs)


def test_task_starts_in_the_triggerer_with_its_sources(parse):
    task = serialized(
        parse('with DAG("demo__a", schedule=None): KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")')
    )
    task = task.get_task("x")
    assert task.start_from_trigger is True
    assert task.start_trigger_args.trigger_cls == "cronlift.airflow.trigger.JobTrigger"
    kwargs = trigger_kwargs(task)
    assert kwargs["files"] == {"jobs/a.yaml": MANIFEST}
    assert JobTrigger(**kwargs).entry == "jobs/a.yaml"


def test_edit_of_the_yaml_changes_the_serialized_dag(parse, folder):
    """So that a YAML edit makes a new DAG version, and a run keeps the YAML that it started with (fact 15)."""
    body = 'with DAG("demo__a", schedule=None): KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")'
    before = DagSerialization.to_dict(parse(body).dags["demo__a"])
    (folder / "jobs" / "a.yaml").write_text(MANIFEST + "  parallelism: 2\n")
    assert DagSerialization.to_dict(parse(body).dags["demo__a"]) != before


def test_manifest_is_found_in_the_template_searchpath(parse, tmp_path_factory):
    other = tmp_path_factory.mktemp("shared")
    (other / "base.yaml").write_text(MANIFEST)
    bag = parse(f'''
        with DAG("demo__a", schedule=None, template_searchpath="{other}"):
            KubernetesJobOperator(task_id="x", manifest="base.yaml")
    ''')
    assert trigger_kwargs(task_of(bag))["files"] == {"base.yaml": MANIFEST}


def test_start_from_trigger_is_an_instance_attribute_only():
    """A class attribute makes mapped tasks succeed without running anything (fact 7)."""
    assert "start_from_trigger" not in vars(KubernetesJobOperator)
    assert "start_trigger_args" not in vars(KubernetesJobOperator)
    assert KubernetesJobOperator.start_from_trigger is False
    assert getattr(KubernetesJobOperator, "end_from_trigger", False) is False


def test_mapped_task_starts_on_a_worker(parse):
    bag = parse("""
        with DAG("demo__a", schedule=None):
            KubernetesJobOperator.partial(task_id="x").expand(manifest=["jobs/a.yaml"])
    """)
    assert not serialized(bag).get_task("x").start_from_trigger


@pytest.mark.parametrize(
    ("argument", "starts_in_triggerer", "finish"),
    [
        ("retries=3", True, "triggerer"),
        ("execution_timeout=__import__('datetime').timedelta(minutes=1)", True, "triggerer"),
        ("on_failure_callback=print", True, "triggerer"),
        ("on_success_callback=print", True, "worker"),
        ("outlets=[__import__('airflow.sdk', fromlist=['Asset']).Asset('x')]", True, "worker"),
        ("pool='database'", False, "triggerer"),
        ("pool_slots=2", False, "triggerer"),
        ("max_active_tis_per_dag=1", False, "triggerer"),
        ("max_active_tis_per_dagrun=1", False, "triggerer"),
        ("on_execute_callback=print", False, "triggerer"),
        ("pre_execute=print", False, "triggerer"),
        ("post_execute=print", True, "worker"),
        ("retry_policy=__import__('airflow.sdk', fromlist=['r']).ExceptionRetryPolicy([])", True, "worker"),
        ("map_index_template='{{ shard }}'", True, "worker"),
        ("depends_on_past=True", True, "triggerer"),
        ("values={'shard': 1}", True, "triggerer"),
        ("result_from='log', logs='off', tail_lines=None", True, "triggerer"),
    ],
)
def test_worker_is_used_only_where_airflow_needs_one(parse, argument, starts_in_triggerer, finish):
    """Facts 1 and 4."""
    bag = parse(f"""
        with DAG("demo__a", schedule=None):
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", {argument})
    """)
    task = task_of(bag)
    assert task.start_from_trigger is starts_in_triggerer
    assert (DEFAULTS | task._trigger_kwargs(None))["finish"] == finish


@pytest.mark.parametrize(
    ("value", "starts_in_triggerer"),
    [
        ("{'a': [1, 'x', None, True, 1.5]}", True),
        ("{1, 2}", True),
        ("datetime(2026, 1, 1, tzinfo=UTC)", True),
        ("datetime(2026, 1, 1)", False),
        ("datetime(2026, 1, 1).date()", False),
        ("2 ** 64", False),
        ("float('inf')", False),
        ("print", False),
        ("[object()]", False),
        ("{1: 'x'}", False),
    ],
)
def test_value_that_airflow_would_change_on_its_way_to_the_triggerer_makes_a_worker_start(
    parse, value, starts_in_triggerer
):
    """In the serialized DAG a function becomes text; and a number of 65 bits would end the triggerer (3.3.2)."""
    bag = parse(f"""
        from datetime import UTC, datetime
        with DAG("demo__a", schedule=None):
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", values={{"v": {value}}})
    """)
    assert task_of(bag).start_from_trigger is starts_in_triggerer


@pytest.mark.parametrize(
    "setting",
    [
        "user_defined_filters={'shout': str.upper}",
        "render_template_as_native_obj=True",
        "jinja_environment_kwargs={'trim_blocks': True}",
    ],
)
@pytest.mark.parametrize("values", ["{'v': '{{ ds }}'}", "None"])
def test_dag_that_says_how_values_are_rendered_has_them_rendered_on_a_worker(parse, setting, values):
    bag = parse(f"""
        with DAG("demo__a", schedule=None, {setting}):
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", values={values})
    """)
    assert task_of(bag).start_from_trigger is (values == "None")


def test_values_may_be_the_result_of_another_task_as_a_whole(parse):
    bag = parse("""
        from airflow.sdk import task
        with DAG("demo__a", schedule=None):
            @task
            def up():
                return {"shard": 1}
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", values=up())
    """)
    task = task_of(bag)
    assert task.start_from_trigger is False
    assert task.upstream_task_ids == {"up"}


def test_value_from_another_task_makes_a_worker_start_and_an_edge(parse):
    """In the triggerer it would arrive unresolved (fact 6)."""
    bag = parse("""
        with DAG("demo__a", schedule=None):
            up = KubernetesJobOperator(task_id="up", manifest="jobs/a.yaml")
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", values={"rows": [up.output["rows"]]})
    """)
    task = task_of(bag)
    assert task.start_from_trigger is False
    assert task.upstream_task_ids == {"up"}


def test_task_knows_whether_another_is_mapped_over_its_result(parse):
    bag = parse("""
        with DAG("demo__a", schedule=None):
            one, two = (KubernetesJobOperator(task_id=n, manifest="jobs/a.yaml", result_from="log") for n in "ab")
            KubernetesJobOperator.partial(task_id="x", manifest="jobs/a.yaml").expand(values=one.output)
            KubernetesJobOperator(task_id="y", manifest="jobs/a.yaml", values={"b": two.output})
    """)
    assert [trigger_kwargs(task_of(bag, task_id=name))["mapped_over"] for name in "ab"] == [True, False]


def test_users_macros_make_a_worker_start(parse, folder):
    """In the triggerer they would be silently empty (fact 6)."""
    (folder / "jobs" / "a.yaml").write_text(MANIFEST.replace("run_id", "shout(run_id)"))
    bag = parse("""
        with DAG("demo__a", schedule=None, user_defined_macros={"shout": str.upper}):
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")
    """)
    task = task_of(bag)
    assert task.start_from_trigger is False

    class TaskInstance:
        dag_id, run_id, task_id, map_index, try_number = "demo__a", "manual__1", "x", -1, 1

    with pytest.raises(TaskDeferred) as deferred:
        task.execute({"ti": TaskInstance(), "run_id": "manual__1"})
    assert "echo MANUAL__1" in deferred.value.trigger.rendered


def test_mapped_values_reach_the_manifest(parse, folder):
    (folder / "jobs" / "a.yaml").write_text(MANIFEST.replace("run_id", "shard"))
    bag = parse("""
        with DAG("demo__a", schedule=None):
            each = KubernetesJobOperator.partial(task_id="x", manifest="jobs/a.yaml")
            each.expand(values=[{"shard": 1}, {"shard": 2}])
    """)
    assert bag.import_errors == {}
    mapped = serialized(bag).get_task("x")
    assert not mapped.start_from_trigger


def test_result_is_the_return_value_of_a_task_that_finishes_on_a_worker():
    task = KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", result_from="log")
    event = {"outcome": "succeeded", "job": "n/x", "message": "", "value": {"rows": 3}}
    assert task.execute_complete({}, event) == {"rows": 3}


def test_fail_fast_dag_finishes_on_a_worker(parse):
    bag = parse("""
        with DAG("demo__a", schedule=None, fail_fast=True):
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")
    """)
    assert trigger_kwargs(task_of(bag))["finish"] == "worker"


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("'jobs/none.yaml'", ["dag.py:4: task x", "no such manifest file 'jobs/none.yaml'"]),
        ("'jobs/bad.yaml'", ["jobs/bad.yaml:2", "YAML syntax error"]),
        ("'jobs/jinja.yaml'", ["jobs/jinja.yaml:1", "Jinja syntax error"]),
        ("'jobs/pod.yaml'", ["jobs/pod.yaml", "holds no Job, but Pod"]),
        ("'jobs/image.yaml'", ["jobs/image.yaml:8", "no job image is called 'ruby'", "legacy"]),
        ("'jobs/secret.yaml'", ["jobs/secret.yaml:15", "in clear"]),
        ("{'kind': 'Pod'}", ["dag.py:4: task x", "holds no Job, but Pod"]),
        ("'kind: Pod\\n'", ["dag.py:4: task x", "holds no Job, but Pod"]),
        ("5", ["manifest is a int", "jobs/export.yaml"]),
        ("''", ["manifest is empty"]),
        ("'jobs/a'", ["neither YAML nor a path", ".yaml"]),
        ("'jobs/a.yaml', delete_policy='later'", ["delete_policy is 'later'", "'on_success'"]),
        ("'jobs/a.yaml', result_from='stdout', logs='some'", ["result_from is 'stdout'", "'log'", "logs is 'some'"]),
        ("'jobs/a.yaml', start_timeout=5", ["start_timeout is 5", "timedelta(minutes=10)"]),
        ("'jobs/a.yaml', tail_every=__import__('datetime').timedelta(1)", ["without tail_lines"]),
        ("'jobs/a.yaml', tail_lines=0", ["tail_lines is 0"]),
        ("'jobs/a.yaml', cluster='gpu'", ["no cluster 'gpu'", "none"]),
        ("'jobs/a.yaml', values=[1]", ["values is a list"]),
        ("'jobs/a.yaml', values={'ds': 1, 'a b': 2}", ["'ds', which is Airflow's own", "'a b', which is no name"]),
        ("'jobs/name.yaml'", ["jobs/name.yaml:9", "'runid'", "Did you mean 'run_id'"]),
        ("'jobs/namespace.yaml'", ["jobs/namespace.yaml:3", "'team-billing' is not the team's"]),
        ("'jobs/account.yaml'", ["jobs/account.yaml:6", "as which Airflow itself acts"]),
        ("'jobs/other.yaml'", ["jobs/other.yaml:9", "'billing__token' is not team 'demo'"]),
    ],
    ids=["missing", "yaml", "jinja", "no job", "image", "secret", "dict", "text", "type", "empty", "no path", "policy",
         "choices", "start timeout", "tail every", "tail lines", "cluster", "values", "value names", "unknown name",
         "other team's namespace", "airflow's account", "other team's variable"],
)  # fmt: skip
def test_fault_is_an_import_error_with_place_and_cure(parse, folder, manifest, words):
    secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  password: hunter2\n"
    files = {
        "bad": "kind: Job\nspec: a: b\n", "jinja": "{{ ds\n", "pod": "kind: Pod\n",
        "image": MANIFEST.replace("images.legacy", "images.ruby"), "secret": MANIFEST + secret,
        "name": MANIFEST.replace("run_id", "runid"),
        "namespace": MANIFEST.replace("spec:", "metadata: {namespace: team-billing}\nspec:", 1),
        "account": MANIFEST.replace("    spec:\n", "    spec:\n      serviceAccountName: cronlift-launcher\n"),
        "other": MANIFEST.replace("run_id", "var.value.billing__token"),
    }  # fmt: skip
    for name, text in files.items():
        (folder / "jobs" / f"{name}.yaml").write_text(text)
    bag = parse(f"""with DAG("demo__a", schedule=None):
    KubernetesJobOperator(task_id="x", manifest={manifest})""")
    (error,) = bag.import_errors.values()
    assert [word for word in words if word not in error] == [], error
    assert bag.dags == {}


def test_wrong_argument_is_a_value_error():
    with pytest.raises(OperatorArgumentError):
        KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", delete_policy="later")


def test_execute_defers_with_the_rendered_manifest_and_the_timeout(parse):
    """`execute()` is for mapped tasks and `dag.test()`; Airflow applies no execution_timeout there (fact 18)."""
    bag = parse("""
        from datetime import timedelta
        with DAG("demo__a", schedule=None):
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", execution_timeout=timedelta(minutes=3))
    """)

    class TaskInstance:
        dag_id, run_id, task_id, map_index, try_number = "demo__a", "manual__1", "x", 4, 2

    with pytest.raises(TaskDeferred) as deferred:
        task_of(bag).execute({"ti": TaskInstance(), "run_id": "manual__1"})
    trigger = deferred.value.trigger
    assert "echo manual__1" in trigger.rendered
    assert trigger.identity["map_index"] == 4
    assert trigger.identity["deployment"] == "cronlift/cronlift"
    assert deferred.value.timeout == timedelta(minutes=3)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"outcome": "succeeded", "job": "n/x", "message": ""}, None),
        ({"outcome": "failed", "job": "n/x", "message": "exit code 3"}, JobFailedError),
        ({"outcome": "failed", "may_retry": False}, AirflowFailException),
        ({"outcome": "odd"}, JobError),
        ("success", JobError),
        ("skipped", JobError),
        (None, JobError),
    ],
)
def test_finish_on_a_worker_takes_no_unknown_word_for_success(event, error):
    task = KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")
    if error is None:
        task.execute_complete({}, event)
    else:
        with pytest.raises(error):
            task.execute_complete({}, event)


def test_a_waiting_task_adds_little_to_its_serialized_dag(parse):
    """The whole DAG is deserialized twice for each start in the triggerer (fact 9)."""

    def size(count: int) -> int:
        tasks = "\n".join(
            f'            KubernetesJobOperator(task_id="x{n}", manifest="jobs/a.yaml")' for n in range(count)
        )
        bag = parse(f'\n        with DAG("demo__a", schedule=None):\n{tasks}\n')
        assert bag.import_errors == {}
        return len(json.dumps(DagSerialization.to_dict(bag.dags["demo__a"])))

    assert (size(30) - size(10)) / 20 - len(MANIFEST) < 2500


PLAIN = MANIFEST.replace(
    "kind: Job\n", 'kind: Job\nmetadata:\n  annotations:\n    cronlift.dev/templated: "false"\n'
).replace("{{ run_id }}", "${#a[@]} {{ nobody }}")


def test_manifest_that_is_not_templated_travels_as_it_is(parse, folder):
    (folder / "jobs" / "a.yaml").write_text(PLAIN)
    body = 'with DAG("demo__a", schedule=None): KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", {})'
    kwargs = trigger_kwargs(serialized(parse(body.format("templated=False"))).get_task("x"))
    trigger = JobTrigger(**kwargs)
    assert trigger.templated is False
    assert JobTrigger(**trigger.serialize()[1]).templated is False
    assert kwargs["files"] == {"jobs/a.yaml": PLAIN}


def test_manifest_that_says_it_is_no_template_is_not_rendered(parse, folder):
    (folder / "jobs" / "a.yaml").write_text(PLAIN)
    bag = parse('with DAG("demo__a", schedule=None): KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")')
    (error,) = bag.import_errors.values()
    assert "Give the operator templated=False" in error


@pytest.mark.parametrize(
    ("arguments", "words"), [({"templated": "no"}, "templated is 'no'"), ({"values": {"a": 1}}, "values is given with")]
)
def test_arguments_that_contradict_each_other_are_refused(arguments, words):
    with pytest.raises(OperatorArgumentError, match=words):
        KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", **{"templated": False, **arguments})
