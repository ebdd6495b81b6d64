"""What jsonschema imports, and that its formats are still checked."""

import subprocess
import sys

CODE = """
import sys
from cronlift import uri_grammar
with uri_grammar.put_off():
    import jsonschema
    import jsonschema.validators
print("rfc3987_syntax" in sys.modules)
check = jsonschema.Draft202012Validator({"format": "iri"}, format_checker=jsonschema.FormatChecker())
print(check.is_valid("https://example.com/é"), check.is_valid("no iri"))
"""


def test_formats_of_international_uris_are_checked_though_their_grammar_is_put_off() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
