from ci.chart_install import SKIPPED, settings


def test_ct_gets_the_platforms_images_and_a_team_namespace_of_its_own() -> None:
    image = {"repository": "localhost/x", "tag": "1234"}
    words = settings(
        {
            "images": {"airflow": image, "postgres": image, "gitSync": image},
            "jobImages": {"legacy": "localhost/legacy:1"},
            "git": {"url": "git://10.0.0.1:9418/worktree.git"},
            "networkPolicy": {"kubernetesApiPorts": [443, 16443]},
        }
    ).split(" ")
    assert "--set-string=images.airflow.tag=1234" in words
    assert "--set-string=jobImages.legacy=localhost/legacy:1" in words
    assert "--set=networkPolicy.kubernetesApiPorts={443,16443}" in words
    assert "--set-string=teams.demo.namespace=team-ct" in words


def test_a_predecessor_that_ct_passed_over_is_seen() -> None:
    assert SKIPPED.search('ok\nUpgrade testing for release "x" skipped because of previous revision testing error: y\n')
