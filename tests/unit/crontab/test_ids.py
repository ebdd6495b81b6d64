"""Names of groups and DAGs, and how they stay."""

import pytest

from cronlift.crontab.ids import Asking, Known, assign, command_hash, group_name, slug_of, slug_words


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/opt/backup/bin/backup.sh daily", ["backup", "daily"]),
        ("python manage.py fill_link_aggregates", ["manage", "fill_link_aggregates"]),
        ("php -q bin/console app:run --env=prod", ["console", "app_run"]),
        ("python3 -m pkg.mod run", ["pkg_mod", "run"]),
        ('bash -c "~/yard/cron/run.bash chain 01"', ["run", "chain", "01"]),
        ("cd /srv && ./nightly.sh &>> /var/log/x.log", ["nightly"]),
        ("export A=b; /opt/etl/run_auto.sh -x", ["run_auto"]),
        ("test -x /usr/bin/a && /usr/bin/a", ["a"]),
        ("env A=1 $RUN $HOME/scripts/worker Import", ["worker", "import"]),
        ("flock -n /var/lock/x /opt/a.sh b", ["a", "b"]),
        ("flock -n /x -c '/opt/q.py --z'", ["q"]),
        ("nice -n 5 timeout 30 /usr/bin/a", ["a"]),
        ("sleep $(( ( RANDOM % 600 ) + 1 ))m && run-parts /etc/cron.daily", ["run_parts", "cron_daily"]),
        ("/home/mara/bin/résumé.sh", ["resume"]),
        ("lockf -t 0 /tmp/l /opt/a.sh", ["a"]),
        ("test -x /usr/bin/certbot && perl -e 'sleep int(rand(43200))' && certbot -q renew", ["certbot", "renew"]),
        ("if [ -x /a ] && [ $(date +%d) -le 7 ]; then /opt/raid/check --all; fi", ["check"]),
        ("perl -e 'print 1'", ["perl", "print_1"]),
        ("bash -e /opt/a.sh", ["a"]),
        ("for each in 1 2; do /opt/a.sh $each; done", ["a"]),
        ("curl -u mara:s3cretvalue https://h.example/api", ["curl", "mara", "api"]),
        ("mysql --password 's3cretvalue' shop", ["mysql", "shop"]),
        ("/opt/a.sh # every night", ["a"]),
        ("/opt/a.sh '#' b", ["a", "b"]),
        ("{{ home }}/bin/a", ["a"]),
        ("{WIKI:ROOT}/bin/job.sh Mail", ["job", "mail"]),
        ("${ROOT}/bin/a.sh", ["a"]),
        ("cd /srv && bundle exec rake mail:send", ["rake", "mail_send"]),
        ('"unclosed', ["unclosed"]),
        ("", ["job"]),
    ],
)
def test_slug_comes_from_the_script(command, words):
    assert slug_words(command) == words


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("etc/crontab", "crontab"),
        ("etc/cron.d/php5-fpm", "php5_fpm"),
        ("var/spool/cron/crontabs/www-data", "www_data"),
        ("web.crontab", "web"),
        ("", "crontab"),
    ],
)
def test_group_is_named_after_its_file(path, name):
    assert group_name(path) == name


def test_group_takes_more_of_the_path_until_it_is_free():
    assert group_name("etc/cron.d/root", {"root"}) == "cron_d_root"
    assert group_name("root", {"root", "root_2"}) == "root_3"


def asking(command, number=1, schedule="0 3 * * *", user="root", file="etc/crontab"):
    return Asking(file, schedule, user, command, number)


def known(dag_id, command, number=1, schedule="0 3 * * *", file="etc/crontab"):
    return Known(dag_id, file, schedule, command_hash("root", command), number)


def test_lines_of_one_script_are_told_apart_by_its_words_then_by_a_number():
    lines = [asking("/opt/load.py --fast eu", 1), asking("/opt/load.py us", 2), asking("/opt/load.py us", 3)]
    assert assign("t", "h", lines, []) == ["t__h_root_load_eu", "t__h_root_load_us", "t__h_root_load_us_2"]


def test_id_stays_when_schedule_and_number_change():
    before = [known("t__h_root_x", "/opt/a.sh")]
    assert assign("t", "h", [asking("/opt/a.sh", 9, "5 5 * * *")], before) == ["t__h_root_x"]


def test_twins_keep_their_ids_by_their_schedules():
    before = [known("t__one", "/opt/a.sh", 1, "0 1 * * *"), known("t__two", "/opt/a.sh", 2, "0 2 * * *")]
    lines = [asking("/opt/a.sh", 1, "0 2 * * *"), asking("/opt/a.sh", 2, "0 9 * * *")]
    assert assign("t", "h", lines, before) == ["t__two", "t__one"]


def test_id_of_another_file_is_taken_unless_that_file_is_gone():
    before = [known("t__h_root_a", "/opt/a.sh", file="etc/cron.d/old")]
    assert assign("t", "h", [asking("/opt/a.sh")], before) == ["t__h_root_a_2"]
    assert assign("t", "h", [asking("/opt/a.sh")], before, {"etc/cron.d/old"}) == ["t__h_root_a"]


def test_hash_keeps_user_and_command_apart():
    assert command_hash("a", "bc") != command_hash("ab", "c")
    assert command_hash("a", " x ") == command_hash("a", "x")


def test_slug_is_short_and_plain():
    assert slug_of("A--b/ü" * 40) == slug_of(slug_of("A--b/ü" * 40))
    assert len(slug_of("x" * 100)) == 60
