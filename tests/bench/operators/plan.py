"""Which cases, in which order: plain Jobs right before and after each contender."""

from collections.abc import Sequence

from tests.bench.operators.case import Case
from tests.bench.operators.contenders import OURS, PLAIN, STOCK_JOB, STOCK_POD, BenchDag
from tests.bench.operators.waiting_memory import DAG as WAITING_DAG
from tests.bench.operators.waiting_memory import FLOOR_DAG

MEMORY = "memory"
PEERS = "-peers"
"""Behind a block's name: the same for the stock operators, which take the greater part of the time."""

BLOCKS = ("1", MEMORY, "16", "50", "300", "300" + PEERS)
"""In this order: memory is measured before the triggerer has run a large DAG."""

OF_RUN = 5
"""Tasks of the small DAG; 60 runs of it are 300."""


def cases_of(block: str) -> tuple[Case, ...]:
    """Return a block's cases in order; the block about memory has none of this kind.

    Raises:
        KeyError: There is no such block.
    """

    def case(contender: str, tasks: int, runs: int = 1, repeats: int = 1) -> Case:
        return Case(block, contender, tasks, runs, repeats)

    return {
        "1": (
            case(PLAIN, 1), case(OURS, 1, repeats=10),
            case(PLAIN, 1), case(STOCK_JOB, 1, repeats=3),
            case(PLAIN, 1), case(STOCK_POD, 1, repeats=3),
            case(PLAIN, 1),
        ),
        MEMORY: (),
        "16": (
            case(PLAIN, 16), case(OURS, 16), case(OURS, 16), case(OURS, 16),
            case(PLAIN, 16), case(STOCK_JOB, 16),
            case(PLAIN, 16), case(STOCK_POD, 16),
            case(PLAIN, 16),
        ),
        "50": (
            case(PLAIN, 50), case(OURS, 50), case(OURS, 50),
            case(PLAIN, 50), case(OURS, 50), case(OURS, 50), case(OURS, 50),
            case(PLAIN, 50), case(STOCK_JOB, 50),
            case(PLAIN, 50), case(STOCK_POD, 50),
            case(PLAIN, 50),
        ),
        "300": (
            case(PLAIN, 300), case(OURS, 300), case(OURS, OF_RUN, runs=60),
            case(PLAIN, 300),
        ),
        "300" + PEERS: (
            case(PLAIN, 300), case(STOCK_JOB, 300), case(STOCK_JOB, OF_RUN, runs=60),
            case(STOCK_POD, 300), case(STOCK_POD, OF_RUN, runs=60),
            case(PLAIN, 300),
        ),
    }[block]  # fmt: skip


def dags_of(blocks: Sequence[str]) -> list[BenchDag]:
    """Return the DAGs that the blocks need, and one task of each contender to warm up with."""
    contenders = (OURS, STOCK_JOB, STOCK_POD)
    wanted = {BenchDag(contender, 1) for contender in contenders}
    wanted |= {
        BenchDag(case.contender, case.tasks) for block in blocks for case in cases_of(block) if case.contender != PLAIN
    }
    if MEMORY in blocks:
        wanted |= {WAITING_DAG, FLOOR_DAG}
    return sorted(wanted, key=lambda dag: (dag.tasks, dag.contender))
