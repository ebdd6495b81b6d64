"""Faults in the forms of others."""

import json

from cronlift.checks.formats import as_github, as_sarif, as_text
from cronlift.checks.model import Fault

FAULTS = [
    Fault("dags/a/x.py", 3, "tags", "DAG a__x has no tag", 'Add tags=["a"] to the DAG.'),
    Fault("dags/a/jobs/x,y.yaml", 0, "policy/amounts", "two\nlines: 100%"),
]


def test_text_is_a_line_that_editors_open() -> None:
    assert as_text(FAULTS[:1]) == 'dags/a/x.py:3: DAG a__x has no tag. Add tags=["a"] to the DAG. [tags]\n'
    assert as_text([]) == ""


def test_annotations_of_github_escape_what_would_end_them() -> None:
    assert as_github(FAULTS).splitlines() == [
        '::error file=dags/a/x.py,line=3,title=tags::DAG a__x has no tag. Add tags=["a"] to the DAG.',
        "::error file=dags/a/jobs/x%2Cy.yaml,title=policy/amounts::two%0Alines: 100%25.",
    ]


def test_sarif_names_rule_place_and_words() -> None:
    (run,) = json.loads(as_sarif(FAULTS, {"tags": "Every DAG has a tag."}, "1.2"))["runs"]
    assert run["tool"]["driver"] == {
        "name": "cronlift check",
        "version": "1.2",
        "rules": [{"id": "tags", "shortDescription": {"text": "Every DAG has a tag."}}],
    }
    first, second = run["results"]
    assert first["ruleId"] == "tags"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "dags/a/x.py", "uriBaseId": "%SRCROOT%"}, "region": {"startLine": 3},
    }  # fmt: skip
    assert second["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}
