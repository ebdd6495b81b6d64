"""Telling a user's name from a command: whether a crontab has the column with the user."""

import re

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?\Z")

_SCRIPT = re.compile(r"\.(sh|bash|bsh|ksh|zsh|csh|py|php|pl|rb|js|ts|jar|cgi|exe|bat|R|tcl|exp|lua)\Z")
_INTERPRETER = re.compile(r"(?:python|pypy|php|perl|ruby|jruby|node|nodejs|java|lua|tclsh|zsh|dash|Rscript)[-\d.]*\Z")
"""Programs whose names often end in a version: `php7.4`, `python3.11`."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN_USERS = _words("""
    root daemon bin sys adm lp sync games man mail news uucp proxy www-data backup list irc gnats nobody operator
    apache nginx httpd http www wwwrun lighttpd tomcat jetty mysql mariadb postgres pgsql redis mongodb memcached
    elasticsearch kibana logstash rabbitmq zookeeper kafka hadoop hdfs hive yarn spark airflow
    ubuntu debian centos fedora ec2-user admin vagrant pi deploy deployer app git gitlab jenkins nagios icinga zabbix
    munin monitor postfix dovecot exim amavis clamav bind named ldap openldap squid ftp vsftpd sshd ntp chrony statd
    asterisk freeswitch etl oracle weblogic jboss wildfly sap informix db2 drupal wordpress magento odoo
""")
"""Names that are users on nearly every server where they stand in a crontab, although some are programs as well."""

ALSO_PROGRAMS = _words("""
    sync mail man list news backup www operator redis mysql mariadb postgres mongod git monitor named chrony statd
    app deploy airflow hive kafka hadoop yarn spark hdfs nginx httpd squid sshd clamav drupal etl pi
""")
"""Names of users that may as well be programs or scripts: what follows decides."""

KNOWN_COMMANDS = (
    _words("""
    sh bash dash zsh ksh csh tcsh env export set cd test source exec eval time nice ionice nohup timeout sudo su runuser
    flock lockfile setlock run-one chronic cronic solo sleep echo printf cat cp mv rm mkdir touch chmod chown ln find
    xargs grep egrep sed awk tar gzip zip rsync scp ssh curl wget php php5 php7 php8 python python2 python3 perl ruby
    rake bundle node npm npx yarn java ant mvn make docker docker-compose podman kubectl mysql mysqldump psql pg_dump
    vacuumdb run-parts logger logrotate systemctl service reboot shutdown apt-get apt yum dnf certbot ntpdate date kill
    pkill killall screen tmux artisan drush wp composer just aws gsutil gcloud s3cmd rclone duplicity restic borg
    if for while case true false let local declare ulimit umask umount mount
    run-this-one run-one-until-success lockrun lockf with-lock-ex setsid stdbuf unbuffer envdir chpst setlock softlimit
    taskset chrt cpulimit logsave cronwrap cronwrapper cronitor ts tsp script expect xvfb-run dbus-run-session
    dbus-launch proxychains proxychains4 torsocks tsocks faketime doppler aws-vault pipenv poetry uv conda rvm rbenv
    gosu su-exec setuidgid doas tini dumb-init systemd-run systemd-cat caffeinate
    R julia octave scala groovy kotlin mono dotnet pwsh wine guile erl elixir mix deno bun go cargo casperjs phantomjs
    hhvm ipython jupyter papermill spark-submit scrapy celery gunicorn flask django-admin dbt snakemake sqlplus sqlcmd
    isql bcp mongo mongosh mongodump redis-cli pg_dumpall mysqladmin mysqlcheck sqlite3 svn hg cvs bzr unison lftp sftp
    ncftpput rdiff-backup rsnapshot duply borgmatic dd tee head tail sort wc df du ps top free uptime chgrp ls truncate
    gpg openssl sendmail mailx mutt swaks lynx links w3m http youtube-dl yt-dlp ffmpeg convert pandoc helm ansible
    ansible-playbook ansible-pull terraform vagrant pm2 forever supervisorctl heroku cap fab grunt gulp jekyll hugo
""")
    - KNOWN_USERS
)
"""Names that are commands on nearly every server, and users on hardly any."""


def can_be_user(word: str, users: frozenset[str] | None = None) -> bool:
    """Tell whether a word can stand in the column with the user.

    Args:
        word: The sixth word of a line.
        users: The host's users where they are known; then only they can.
    """
    if users is not None:
        return word in users
    return bool(_USER.match(word)) and not is_program(word)


def is_known_user(word: str, users: frozenset[str] | None = None) -> bool:
    """Tell whether a word is surely a user, and no command by the look of it."""
    return word in (KNOWN_USERS if users is None else users)


def looks_like_command(word: str) -> bool:
    """Tell whether a word begins a command: a path, an expansion, an assignment, a known program, a group."""
    return (
        is_program(word)
        or word[:1] in ("/", "~", "$", ".", "(", "{", "[", '"', "'", "`")
        or "/" in word
        or bool(re.match(r"[A-Za-z_][A-Za-z0-9_]*=", word))
    )


def is_program(word: str) -> bool:
    """Tell a known program, an interpreter with or without its version, or a script by its suffix."""
    return word in KNOWN_COMMANDS or bool(_INTERPRETER.match(word) or _SCRIPT.search(word))
