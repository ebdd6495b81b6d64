import re

from ci.make_help import render
from ci.paths import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_help_lists_every_target() -> None:
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    text = render(MAKEFILE)
    assert len(targets) > 10
    assert [target for target in targets if f"\n  {target} " not in text] == []


def test_recipes_only_call_steps_of_ci_and_the_command() -> None:
    recipes = re.findall(r"^\t@?(.*)", MAKEFILE, re.MULTILINE)
    assert [recipe for recipe in recipes if not re.match(r"\$\((step|PYTHON|cronlift)\)", recipe)] == []


def test_every_step_that_is_given_words_refuses_those_it_does_not_know() -> None:
    steps = set(re.findall(r"^\t@?\$\(step\)\.(\w+).*\$\(ARGS\)", MAKEFILE, re.MULTILINE))
    assert {"down", "reset", "up"} <= steps
    assert [step for step in sorted(steps) if ".parse_" not in (ROOT / "ci" / f"{step}.py").read_text()] == []
