"""Which job images an environment lacks, told from what manifests say."""

import pytest

from cronlift.checks.of_images import ImageUse, image_uses, lacking

MAILER = "registry.example.com:5000/billing/mailer"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('image: "{{ images.legacy }}"', ["legacy"]),
        ("image: \"{{ images['invoice-mailer'] }}\"", ["invoice-mailer"]),
        ('image: "{{images[\\"a\\"]}}"', []),
        ("{% set image = images.legacy %}", ["legacy"]),
        ("args: [\"{{ 'x' if ready else images.php_7 }}\", '{{ images.legacy }}']", ["php_7", "legacy"]),
        ("image: images.example.com/team/x:1", []),
        ("image: \"{{ my_images.legacy }}\"", []),
        ("The word {{ images }} alone", []),
    ],
)  # fmt: skip
def test_a_manifest_names_images(text: str, names: list[str]) -> None:
    assert [each.name for each in image_uses("dags/a/jobs/x.yaml", text)] == names


def test_the_line_is_that_of_the_name() -> None:
    (use,) = image_uses("dags/a/jobs/x.yaml", 'kind: Job\nimage: "{{ images.legacy }}"\n')
    assert use == ImageUse("legacy", "dags/a/jobs/x.yaml", 2)


@pytest.mark.parametrize(
    "reference", [f"{MAILER}:1.0", f"{MAILER}@sha256:{'0' * 64}", f"{MAILER}:1.0@sha256:{'0' * 64}"]
)
def test_an_environment_lacks_a_name_once_with_the_command_that_adds_it(reference: str) -> None:
    uses = [ImageUse("mailer", "dags/a/jobs/y.yaml", 7), ImageUse("mailer", "dags/a/jobs/x.yaml", 9)]
    assert list(lacking(uses, {"e/production.yaml": {}, "e/staging.yaml": {"mailer": reference}})) == [
        "e/production.yaml: jobImages has no 'mailer', which dags/a/jobs/x.yaml:9 uses: its DAG would be an import "
        f'error there. Run make bump IMAGE={MAILER} TAG=... ARGS="--add-as mailer --env production"'
    ]


def test_an_image_that_no_environment_has_is_added_to_all() -> None:
    (words,) = lacking([ImageUse("new", "dags/a/x.py", 1)], {"e/production.yaml": {"legacy": "x/legacy:1"}})
    assert words.endswith('Run make bump IMAGE=<repository> TAG=... ARGS="--add-as new"')
