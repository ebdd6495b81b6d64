"""Import jsonschema without a grammar that nobody asks for.

jsonschema 4 imports `rfc3987_syntax` where it is installed, for the formats "iri" and "iri-reference". That package
compiles the grammar of international URIs when it is imported: 3 s, half of an import of Airflow. Can go when either of
the two does it at first use.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

_PACKAGE = "rfc3987_syntax"


@contextmanager
def put_off() -> Iterator[None]:
    """Let whoever imports the grammar in this block get a stand-in, which imports it when it is first asked.

    Example:
        >>> with put_off():
        ...     import jsonschema
    """
    if _PACKAGE in sys.modules or find_spec(_PACKAGE) is None:
        yield
        return

    def is_valid_syntax(*words: str) -> bool:
        found: bool = import_module(_PACKAGE).is_valid_syntax(*words)
        return found

    stand_in = ModuleType(_PACKAGE)
    stand_in.is_valid_syntax = is_valid_syntax  # type: ignore[attr-defined]
    sys.modules[_PACKAGE] = stand_in
    try:
        yield
    finally:
        del sys.modules[_PACKAGE]
