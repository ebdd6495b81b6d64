"""Manifests that are no templates."""

import pytest

from cronlift.errors import ManifestError
from cronlift.job.images import Images
from cronlift.job.names import unknown_names
from cronlift.job.plain import read_plain, says_plain
from cronlift.job.review import review
from cronlift.job.sources import Sources, collect
from cronlift.job.template import render

MARK = 'metadata: {annotations: {cronlift.dev/templated: "false"}}'
PLAIN = """\
apiVersion: batch/v1
kind: Job
metadata:
  annotations:
    cronlift.dev/templated: "false"
spec:
  template:
    metadata:
      annotations:
        command: |-
          echo ${#a[@]} {{ ds }} {% if %} {# $(X) $$ image: "{{ images.legacy }}"
    spec:
      initContainers:
        - {name: first, image: "{{images.other}}"}
      containers:
        - name: main
          image: "{{ images.legacy }}"
          args: ["{{ images.legacy }} {{ unknown }}"]
"""
IMAGES = Images({"legacy": "registry/legacy:1", "other": "registry/other:2"})


def plain(text: str) -> Sources:
    return collect(text, [], templated=False)


def rendered(text: str) -> dict:
    (found,) = render(plain(text), {}, IMAGES)["items"]
    return found


def test_braces_of_a_command_stay_as_they_are():
    pod = rendered(PLAIN)["spec"]["template"]
    wanted = 'echo ${#a[@]} {{ ds }} {% if %} {# $(X) $$ image: "{{ images.legacy }}"'
    assert pod["metadata"]["annotations"]["command"] == wanted
    assert pod["spec"]["containers"][0]["args"] == ["{{ images.legacy }} {{ unknown }}"]


def test_images_are_filled_in_where_they_are_all_of_the_field():
    pod = rendered(PLAIN)["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry/legacy:1"
    assert pod["initContainers"][0]["image"] == "registry/other:2"
    part = PLAIN.replace('image: "{{ images.legacy }}"\n', 'image: "x/{{ images.legacy }}"\n')
    assert rendered(part)["spec"]["template"]["spec"]["containers"][0]["image"] == "x/{{ images.legacy }}"


def test_dict_is_read_alike():
    given = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": [
        {"name": "main", "image": "{{ images.legacy }}", "args": ["{{ x }}"]}]}}}}  # fmt: skip
    (found,) = render(collect(given, [], templated=False), {}, IMAGES)["items"]
    assert found["spec"]["template"]["spec"]["containers"] == [
        {"name": "main", "image": "registry/legacy:1", "args": ["{{ x }}"]}
    ]
    assert given["spec"]["template"]["spec"]["containers"][0]["image"] == "{{ images.legacy }}"


def test_unknown_image_is_named_with_its_line():
    with pytest.raises(ManifestError, match=r"manifest:14: .*no job image is called 'other'. Known images: legacy"):
        read_plain("manifest", PLAIN, Images({"legacy": "x"}))


def test_review_finds_no_fault_and_no_unknown_name():
    found = review(plain(PLAIN), IMAGES, values=())
    assert found.faults == ()
    assert [each.kind for each in found.documents] == ["Job"]
    assert unknown_names(plain(PLAIN)) == []


def test_review_without_known_images_lets_them_pass():
    assert review(plain(PLAIN), None).faults == ()


def test_review_names_faults_with_their_lines():
    faults = review(plain(PLAIN.replace("- name: main", "- nam: main")), IMAGES).faults
    assert [str(each).partition(":")[2].partition(" ")[0] for each in faults] == ["16:", "16:"]


def test_secret_in_clear_is_a_fault_and_the_words_in_a_command_are_not():
    secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {a: b}\n"
    (fault,) = review(plain(PLAIN + secret), IMAGES).faults
    assert "the Secret holds stringData.a in clear" in str(fault)
    assert review(plain(PLAIN.replace("echo ", "kubectl apply kind: Secret ")), IMAGES).faults == ()


def test_what_is_reviewed_is_remembered_apart_from_templates():
    text = "".join(PLAIN.replace(" {% if %} {#", "").replace("${#a[@]}", "").partition("metadata:")[::2])
    text = text.replace('\n  annotations:\n    cronlift.dev/templated: "false"\n', "", 1)
    assert review(plain(text), IMAGES).faults == ()
    assert review(collect(text, []), IMAGES, values=()).faults != ()


def test_manifest_that_says_it_is_plain_is_not_taken_for_a_template(tmp_path):
    (tmp_path / "a.yaml").write_text(PLAIN)
    with pytest.raises(ManifestError, match=r"a\.yaml: .* Give the operator templated=False"):
        collect("a.yaml", [tmp_path])


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        pytest.param(PLAIN, True, id="annotated Job"),
        pytest.param(f"kind: Job\n{MARK}\n", False, id="flow style is not looked for"),
        pytest.param("kind: Job\nmetadata:\n  annotations:\n    cronlift.dev/templated: 'false'\n", True, id="quotes"),
        pytest.param("kind: Job\nx: |\n  cronlift.dev/templated: 'false'\n", False, id="in a text"),
        pytest.param("kind: Job\nmetadata:\n  annotations: {a: b}\n", False, id="other annotation"),
        pytest.param("kind: Job\n  cronlift.dev/templated: 'false'\n bad\n", True, id="broken YAML"),
    ],
)
def test_manifest_says_itself_that_it_is_plain(text, is_plain):
    assert says_plain(text) is is_plain
