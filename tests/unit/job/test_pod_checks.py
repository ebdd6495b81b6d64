"""What no cluster runs of a Pod: faults with their line, and never for what a guess or a condition decides."""

import pytest

from tests.unit.job.manifests import checked
from tests.unit.job.test_fields import job

MOUNT = "          volumeMounts: [{name: %s, mountPath: /data}]\n"
VOLUME = "      volumes: [{name: data, emptyDir: {}}]\n"
RESOURCES = """\
          resources:
            requests: {memory: 2Gi}
            limits: {memory: 1Gi}
"""
OTHER = '        - name: %s\n          image: "x:1"\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            job().replace("- name: main", "- name: Main_Container"), 10,
            "'Main_Container' is no name for a container. Use lower-case letters, digits and `-`, at most 63, such as "
            "main-container.",
        ),
        (job().replace("- name: main", f"- name: {'a' * 64}"), 10, "is no name for a container"),
        (job(pod="      volumes: [{name: my.data, emptyDir: {}}]\n"), 9, "'my.data' is no name for a volume"),
        (
            job().replace("{{ images.legacy }}", "registry.example/Foo Bar:1.0"), 11,
            "'registry.example/Foo Bar:1.0' is no name of an image. Write registry/name:tag",
        ),
        (job().replace("{{ images.legacy }}", "registry.example/Foo:1"), 11, "is no name of an image"),
        (job().replace("{{ images.legacy }}", "https://registry.example/foo:1"), 11, "is no name of an image"),
        (job() + OTHER % "main", 13, "a second container is called 'main'. Give each a name of its own."),
        (
            job(pod='      initContainers: [{name: main, image: "x:1"}]\n'), 9,
            "a second container is called 'main'",
        ),
        (
            job(pod="      volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]\n"), 9,
            "a second volume is called 'a'",
        ),
        (
            job(pod=VOLUME, container=MOUNT % "dat"), 13,
            "container 'main' mounts volume 'dat', which the Pod does not have. Did you mean data? Otherwise add it to "
            "spec.template.spec.volumes.",
        ),
        (job(container=MOUNT % "data"), 12, "which the Pod does not have. Add it to spec.template.spec.volumes."),
        (
            job(container=RESOURCES), 13,
            "the request of memory is 2Gi, above its limit of 1Gi. Lower the request or raise the limit.",
        ),
        (job(container="          resources: {requests: {cpu: 2}, limits: {cpu: 1500m}}\n"), 12, "request of cpu is 2"),
    ],
    ids=["name", "long name", "volume name", "image", "case", "url", "twice", "init", "volume twice", "mount",
         "no volume", "memory", "cpu"],
)  # fmt: skip
def test_what_no_cluster_runs_is_told_with_line_and_cure(text, line, words, tmp_path):
    found = checked(text, tmp_path)
    assert found.count("a.yaml:") == 1, found
    assert f"a.yaml:{line}: " in found
    assert words in found


# Each part is well by itself, and no run has the two together.
ONE_OF_TWO = (
    "{% if params.size == 'big' %}\n" + OTHER % "more" + "{% endif %}\n"
    "{% if params.size == 'small' %}\n" + OTHER % "more" + "{% endif %}\n"
)
VOLUME_BY_OTHER_TEST = "{% if params.kind != 'none' %}\n" + VOLUME + "{% endif %}\n"
MOUNT_BY_TEST = "{% if params.kind == 'disk' %}\n" + MOUNT % "data" + "{% endif %}\n"


@pytest.mark.parametrize(
    "text",
    [
        job(pod=VOLUME, container=MOUNT % "data"),
        job().replace("- name: main", '- name: "load-{{ ds }}_{{ params.x }}"'),
        job().replace("- name: main", '- name: "{{ params.x | title }}"'),
        job(pod="      volumes: {{ params.volumes | tojson }}\n", container=MOUNT % "data"),
        job(pod='      volumes: [{name: "{{ params.x }}", emptyDir: {}}]\n', container=MOUNT % "data"),
        job(pod=VOLUME, container=MOUNT % '"{{ params.x }}"'),
        job(pod=VOLUME, container=MOUNT % '"{{ (params.x | string)[:3] }}"'),
        job(pod=VOLUME_BY_OTHER_TEST, container=MOUNT_BY_TEST),
        job() + ONE_OF_TWO,
        job() + "{% for n in params.all %}\n" + OTHER % "w{{ n }}" + "{% endfor %}\n",
        job() + "{% for n in ['a', 'b'] %}\n" + OTHER % "{{ n }}" + "{% endfor %}\n",
        job(container="          resources: {requests: {cpu: '{{ params.n | int }}'}, limits: {cpu: 500m}}\n"),
        job(container="          resources: {requests: {cpu: '{{ params.n }}'}, limits: {cpu: 500m}}\n"),
        job(container="          resources: {requests: {cpu: 1000m, memory: 1Gi}, limits: {cpu: 1}}\n"),
        job().replace("{{ images.legacy }}", "{{ params.image }}"),
        job().replace("{{ images.legacy }}", "localhost:5000/a/b-c__d.e:v1.2_3"),
        job().replace("{{ images.legacy }}", f"Registry.example/a@sha256:{'0' * 64}"),
    ],
)
def test_what_is_well_or_depends_on_the_run_is_no_fault(text, tmp_path):
    assert checked(text, tmp_path) == ""


def test_what_every_branch_shows_is_told(tmp_path):
    text = job(pod="{% if params.x %}\n      hostname: a\n{% endif %}\n", container=MOUNT % "data")
    assert "mounts volume 'data'" in checked(text, tmp_path)
