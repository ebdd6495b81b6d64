"""Passwords are found by their places, hidden, and moved out."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.crontab.secrets import externalise, find_secrets, mask

# In parts, so that no scanner takes them for real ones.
GITHUB, GITHUB_FINE = "gh" + "p_abcdefghij0123456789", "github" + "_pat_abcdefghij0123456789"
SLACK, AWS = "xo" + "xb-abcdefghij01", "AK" + "IAABCDEFGHIJKLMNOP"


@pytest.mark.parametrize(
    ("text", "masked", "name"),
    [
        ("mysqldump -u root -ps3cret db", "mysqldump -u root -p*** db", "MYSQL_PASSWORD"),
        ("/usr/bin/mysql -p's 3' db", "/usr/bin/mysql -p'***' db", "MYSQL_PASSWORD"),
        ("mysql --password=s3 db", "mysql --password=*** db", "PASSWORD"),
        ("mysql --password s3 db", "mysql --password *** db", "PASSWORD"),
        ("MYSQL_PWD=s3 mysql db", "MYSQL_PWD=*** mysql db", "MYSQL_PWD"),
        ("PGPASSWORD='s3' psql", "PGPASSWORD='***' psql", "PGPASSWORD"),
        ("PGPASSWORD = s3", "PGPASSWORD = ***", "PGPASSWORD"),
        ('DB_PASS="s 3"', 'DB_PASS="***"', "DB_PASS"),
        ("AWS_SECRET_ACCESS_KEY=s3 aws s3 ls", "AWS_SECRET_ACCESS_KEY=*** aws s3 ls", "AWS_SECRET_ACCESS_KEY"),
        ("mysqladmin --password1 s3", "mysqladmin --password1 ***", "PASSWORD1"),
        ("pan.sh -user:me -pass:s3 -trans:t", "pan.sh -user:me -pass:*** -trans:t", "PASS"),
        ("x --pw=s3", "x --pw=***", "PW"),
        ("wp user update 1 --user_pass=s3", "wp user update 1 --user_pass=***", "USER_PASS"),
        ("plink -pw s3 me@h", "plink -pw *** me@h", "PW"),
        ("mosquitto_pub -h h -P s3 -t t", "mosquitto_pub -h h -P *** -t t", "MQTT_PASSWORD"),
        ("ipmitool -U u -P s3 sdr", "ipmitool -U u -P *** sdr", "IPMI_PASSWORD"),
        ("sendEmail -xu a -xp s3", "sendEmail -xu a -xp ***", "MAIL_PASSWORD"),
        ("htpasswd -bc /x me s3", "htpasswd -bc /x me ***", "HTTP_PASSWORD"),
        ("smbclient //h/share s3 -U me", "smbclient //h/share *** -U me", "SMB_PASSWORD"),
        ("lynx -auth=me:s3 http://h", "lynx -auth=me:*** http://h", "HTTP_PASSWORD"),
        ("beeline -n me -p s3", "beeline -n me -p ***", "DATABASE_PASSWORD"),
        ("db2 connect to d user me using s3", "db2 connect to d user me using ***", "DATABASE_PASSWORD"),
        ("expdp me/s3 directory=d", "expdp me/*** directory=d", "ORACLE_PASSWORD"),
        ("mongodump -ps3 -d d", "mongodump -p*** -d d", "MONGO_PASSWORD"),
        ("curl -b 'session=s3' http://h", "curl -b 'session=***' http://h", "HTTP_COOKIE"),
        ("curl -H 'Cookie: session=s3' http://h", "curl -H 'Cookie: session=***' http://h", "HTTP_COOKIE"),
        ("curl -u abcdefghij0123456789: http://h", "curl -u ***: http://h", "HTTP_TOKEN"),
        ("curl -d 'user=me&pwd=s3' http://h", "curl -d 'user=me&pwd=***' http://h", "PWD"),
        (
            "w maker.ifttt.com/trigger/t/with/key/s3",
            "w maker.ifttt.com/trigger/t/with/key/***",
            "IFTTT_KEY",
        ),
        (
            "w freedns.afraid.org/dynamic/update.php?s3",
            "w freedns.afraid.org/dynamic/update.php?***",
            "FREEDNS_KEY",
        ),
        (
            "x machine h login me password s3 > .netrc",
            "x machine h login me password *** > .netrc",
            "NETRC_PASSWORD",
        ),
        ("echo s3 | kinit me", "echo *** | kinit me", "PIPED_PASSWORD"),
        ("echo s3 | docker login --password-stdin h", "echo *** | docker login --password-stdin h", "PIPED_PASSWORD"),
        ("curl -u me:s3 http://x", "curl -u me:*** http://x", "HTTP_PASSWORD"),
        ("curl -su 'me:s3' http://x", "curl -su 'me:***' http://x", "HTTP_PASSWORD"),
        ("curl --user me:s3 http://x", "curl --user me:*** http://x", "HTTP_PASSWORD"),
        ("wget http://me:s3@h/x", "wget http://me:***@h/x", "URL_PASSWORD"),
        ("x redis://:s3@h/0", "x redis://:***@h/0", "URL_PASSWORD"),
        ("git pull https://abcdefghij0123456789@h/x", "git pull https://***@h/x", "URL_TOKEN"),
        ("wget 'http://h/cron?cron_key=s3&a=b'", "wget 'http://h/cron?cron_key=***&a=b'", "CRON_KEY"),
        ("wget 'http://h/?a=b&token=s3'", "wget 'http://h/?a=b&token=***'", "TOKEN"),
        ("curl -H 'Authorization: Bearer s3.x' h", "curl -H 'Authorization: Bearer ***' h", "AUTHORIZATION"),
        ('curl -H "X-Api-Key: s3" h', 'curl -H "X-Api-Key: ***" h', "X_API_KEY"),
        ("kitchen.sh /pass:s3 /job:x", "kitchen.sh /pass:*** /job:x", "PASS"),
        ("kitchen.sh -pass=s3 -job=x", "kitchen.sh -pass=*** -job=x", "PASS"),
        ("kitchen.sh -param:DB_PASSWORD=s3", "kitchen.sh -param:DB_PASSWORD=***", "DB_PASSWORD"),
        ("java -Ddb.password=s3 -jar x.jar", "java -Ddb.password=*** -jar x.jar", "PASSWORD"),
        ('curl -d \'{"api_key": "s3"}\' h', 'curl -d \'{"api_key": "***"}\' h', "API_KEY"),
        ('curl -d "{\\"password\\":\\"s3\\"}" h', 'curl -d "{\\"password\\":\\"***\\"}" h', "PASSWORD"),
        (
            "curl https://api.telegram.org/bot12345:abcdefghij-0123456789/send",
            "curl https://api.telegram.org/bot***/send",
            "TELEGRAM_TOKEN",
        ),
        (
            "curl https://discord.com/api/webhooks/1/abcdefghij0123456789",
            "curl https://discord.com/api/webhooks/1/***",
            "DISCORD_WEBHOOK",
        ),
        ("ncftpput -u me -p s3 h / x", "ncftpput -u me -p *** h / x", "FTP_PASSWORD"),
        ("sshpass -p s3 ssh h", "sshpass -p *** ssh h", "SSHPASS"),
        ("lftp -u me,s3 h", "lftp -u me,*** h", "FTP_PASSWORD"),
        ("redis-cli -a s3 ping", "redis-cli -a *** ping", "REDIS_PASSWORD"),
        ("mongodump -u me -p s3", "mongodump -u me -p ***", "MONGO_PASSWORD"),
        ("sqlplus me/s3@orcl @x", "sqlplus me/***@orcl @x", "ORACLE_PASSWORD"),
        ("smbclient //h/x -U me%s3", "smbclient //h/x -U me%***", "SMB_PASSWORD"),
        ("ldapsearch -D x -w s3", "ldapsearch -D x -w ***", "LDAP_PASSWORD"),
        ("openssl enc -k s3", "openssl enc -k ***", "OPENSSL_PASSWORD"),
        ("zip -P s3 x.zip x", "zip -P *** x.zip x", "ZIP_PASSWORD"),
        ("7z a -ps3 x.7z x", "7z a -p*** x.7z x", "ARCHIVE_PASSWORD"),
        ("gpg --passphrase s3 x", "gpg --passphrase *** x", "PASSPHRASE"),
        ("php x.php --api-key=s3", "php x.php --api-key=***", "API_KEY"),
        ("php x.php --auth-token s3", "php x.php --auth-token ***", "AUTH_TOKEN"),
        ("echo s3 | sudo -S x", "echo *** | sudo -S x", "SUDO_PASSWORD"),
        ("curl -d 'password=s3&user=x' h", "curl -d 'password=***&user=x' h", "PASSWORD"),
        (f"x {GITHUB} y", "x *** y", "GIT_TOKEN"),
        ("x glpat-abcdefghij01234 y", "x *** y", "GIT_TOKEN"),
        (f"x {GITHUB_FINE} y", "x *** y", "GIT_TOKEN"),
        (f"x {SLACK} y", "x *** y", "SLACK_TOKEN"),
        ("x eyJabcdefghij01.abcdefghij01.abc y", "x *** y", "JWT"),
        (f"x {AWS} y", "x *** y", "AWS_ACCESS_KEY_ID"),
        ("x LDAP_PW=s3", "x LDAP_PW=***", "LDAP_PW"),
        ("wget 'http://h/?sig=s3'", "wget 'http://h/?sig=***'", "SIG"),
        ("wget 'http://h/?hash=s3'", "wget 'http://h/?hash=***'", "HASH"),
        ("x 'h/cron?auth=s3'", "x 'h/cron?auth=***'", "AUTH"),
        (
            "curl https://hooks.slack.com/services/T0/B0/abc",
            "curl https://hooks.slack.com/services/***",
            "SLACK_WEBHOOK",
        ),
        ('bash -c "mysql -ps3 db"', 'bash -c "mysql -p*** db"', "MYSQL_PASSWORD"),
        ("5 4 * * * root mysqldump -ps3 x", "5 4 * * * root mysqldump -p*** x", "MYSQL_PASSWORD"),
        ("#5 4 * * * mysqldump -ps3 x", "#5 4 * * * mysqldump -p*** x", "MYSQL_PASSWORD"),
    ],
)
def test_passwords_are_hidden(text: str, masked: str, name: str) -> None:
    assert mask(text) == masked
    (secret,) = find_secrets(text)
    assert secret.name == name
    assert secret.value not in repr(secret) or secret.value == "***"


@pytest.mark.parametrize(
    "text",
    [
        "mysql -p -u root",
        "mysql -P3306 -uroot",
        "mysql --password=$PW",
        'mysql --password="$PW"',
        "mysql -p${PW}",
        "mysql -p`cat /x`",
        'mysql -p"$(cat /x)"',
        "PGPASSFILE=/x psql",
        "smbclient -L //h -N",
        "smbclient //h/share -A /x -c ls",
        "sqlplus -s /nolog @scripts/x.sql",
        "imp file=a/b",
        "mongodump --port 27017",
        "curl -b cookies.txt http://h",
        "curl -u me: http://h",
        "htpasswd -c /x me",
        "pscp -r x h:/y",
        "x --password-file=/y",
        "TOKEN_FILE=/x",
        "mkdir -p /a/b",
        "PWD=/x y",
        "OLDPWD=/x y",
        "passwd root",
        "compass -x y",
        "curl -u me http://x",
        "curl http://h:8080/x",
        "rsync -a me@h:/x /y",
        "MAILTO=a@b.example",
        "PASSWORD=",
        "x --token",
        "kill -USR1 1",
        "x -p secret",
        "find / -name x -a -type f",
        "KEY=/etc/ssl/x.key",
    ],
)
def test_what_is_no_password_stays(text: str) -> None:
    assert find_secrets(text) == ()
    assert mask(text) == text


def test_a_password_is_hidden_wherever_else_it_stands() -> None:
    assert mask("mysql -pcorrect-horse; echo correct-horse") == "mysql -p***; echo ***"
    assert mask("see correct-horse", known=("correct-horse",)) == "see ***"


def test_short_passwords_and_names_of_users_do_not_blot_out_the_text() -> None:
    assert mask("mysql -ua -pa; a") == "mysql -ua -p***; a"
    assert mask("0 1 * * * www-data mysql -pwww-data") == "0 1 * * * www-data mysql -p***"


def test_different_passwords_of_one_name_get_names_of_their_own() -> None:
    command, values = externalise("mysql -pone a; mysql -ptwo b; mysql -pone c")
    assert values == {"MYSQL_PASSWORD": "one", "MYSQL_PASSWORD_2": "two"}
    assert command == ('mysql -p"${MYSQL_PASSWORD}" a; mysql -p"${MYSQL_PASSWORD_2}" b; mysql -p"${MYSQL_PASSWORD}" c')


@pytest.mark.parametrize(
    "command",
    [
        "printf '%s\\n' --password=s3 x",
        "printf '%s\\n' --password='s 3$x' x",
        'printf "%s\\n" --password="s 3\\$x" x',
        "printf '%s\\n' --password=s\\ 3 x",
        "printf '%s\\n' 'http://h/?token=s3&x=y'",
        'printf "%s\\n" "http://me:s3@h/x"',
        "DB_PASS='s 3' sh -c 'printf \"%s\\n\" \"$DB_PASS\"'",
        "sh -c \"printf '%s\\n' --password=s3\"",
        "printf '%s\\n' '{\"password\": \"s3\"}'",
        'printf "%s\\n" "{\\"password\\":\\"s3\\"}"',
        "printf '%s\\n' -Dpassword=s3",
    ],
)
def test_the_command_does_the_same_with_its_passwords_in_variables(command: str) -> None:
    moved, values = externalise(command)
    assert values
    assert not any(value in moved for value in values.values())
    run = [
        subprocess.run(
            ["/bin/sh", "-c", each], env={"PATH": "/usr/bin:/bin", **env}, capture_output=True, check=True
        ).stdout
        for each, env in ((command, {}), (moved, values))
    ]
    assert run[0] == run[1]


@given(st.text(alphabet="ab1- =:/@'\"\\$?&|;.%\n" + "ps", max_size=80))
def test_any_text_can_be_masked(text: str) -> None:
    for words in ("", "mysql -p", "curl -u ", "x --password=", "http://u:"):
        whole = words + text
        secrets = find_secrets(whole)
        assert all(whole[each.start : each.end] == each.value for each in secrets)
        masked = mask(whole)
        assert masked.count("***") >= len(secrets)


@pytest.mark.parametrize("piece", ["a.", "a-", "a_", "aA1", "a://", "?a_", "'", '"', "-p", "key=", "&key=1", "\\"])
def test_long_lines_do_not_keep_the_search_busy(piece: str) -> None:
    mask("mysql " + piece * 20_000)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("# password: s3cret", "# password: ***"),
        ("# the db_password: s3cret, by mara", "# the db_password: *** by mara"),
        ("# access key of mara", "# access key of mara"),
        ("# the root pw is s3cret", "# the root pw is ***"),
        ("# the password is stored elsewhere", "# the password is stored elsewhere"),
    ],
)
def test_password_noted_in_a_comment_is_hidden(text: str, masked: str) -> None:
    assert mask(text) == masked
