"""The copy of the whole DAG that Airflow makes for each trigger that starts, and how to be rid of it.

The process that runs triggers (Airflow 3.3.2) decodes the DAG anew for each of them: 0.26 MiB for one of 100 tasks. Its
objects hold each other in circles, and Python looks for those seldom, so that what was let go stays for minutes; when
100 tasks start at once, 100 copies lie about, and the memory of this burst is never given back. So a copy is taken
apart: before the template is rendered where that needs nothing of the other tasks, and otherwise right afterwards.

Can go when Airflow gives a trigger the task alone.
"""

import re
from collections.abc import Iterable, MutableMapping
from typing import Any

# Through these names a template reaches the DAG's other tasks.
_REACHES_OTHERS = re.compile(r"\b(?:dag|task|get_template_context)\b")
_HOLDERS = ("task", "_ti_context_from_server")


def reaches_other_tasks(texts: Iterable[str]) -> bool:
    """Tell whether templates may look at other tasks of their DAG; linear, as it runs on the event loop.

    Args:
        texts: Sources of the templates.
    """
    return any(_REACHES_OTHERS.search(text) for text in texts)


def take_apart(task: Any) -> None:
    """Part a DAG from its tasks, so that all of them but the one that is held are freed at once.

    Args:
        task: A task of a DAG that nobody else holds; None, or one without a DAG, is left alone.
    """
    dag = getattr(task, "dag", None)
    for holder, name in ((dag, "task_dict"), (getattr(dag, "task_group", None), "children")):
        held = getattr(holder, name, None)
        if isinstance(held, dict):
            held.clear()


def forget(context: MutableMapping[str, Any], task_instance: Any) -> None:
    """Empty a trigger's context and part its task instance from the DAG.

    The triggerer's own coroutine holds the same mapping until the trigger ends, so that dropping a reference alone
    would free nothing.

    Args:
        context: As Airflow gave it to the trigger.
        task_instance: The trigger's.
    """
    take_apart(context.get("task"))
    context.clear()
    for name in _HOLDERS:
        if name in getattr(task_instance, "__dict__", {}):
            task_instance.__dict__[name] = None
