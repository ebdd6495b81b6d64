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
