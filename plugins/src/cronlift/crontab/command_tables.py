"""What is known of programs by their names."""

from dataclasses import dataclass

BUILTINS = frozenset(
    {
        ".", ":", "[", "[[", "alias", "bg", "break", "builtin", "cd", "command", "continue", "declare", "echo",
        "eval", "exec", "exit", "export", "false", "fg", "getopts", "hash", "jobs", "let", "local", "popd", "printf",
        "pushd", "pwd", "read", "readonly", "return", "set", "shift", "shopt", "source", "test", "time", "times",
        "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
    }
)  # fmt: skip
"""Of the shell itself: no file on the host."""

TESTS = {
    "test": "test", "[": "test", "grep": "grep", "egrep": "grep", "fgrep": "grep", "zgrep": "grep", "diff": "diff",
    "cmp": "diff", "pgrep": "pgrep", "pidof": "pgrep", "which": "test", "command": "test", "type": "test",
    "ping": "test", "mountpoint": "test",
}  # fmt: skip
"""What stands in front of `&&` to decide whether the rest runs, and the kind of guard it is."""

FLOCK_WITH_VALUE = frozenset({"-w", "--timeout", "--wait", "-E", "--conflict-exit-code"})
SSH_WITH_VALUE = frozenset(
    {
        "-b", "-B", "-c", "-D", "-E", "-e", "-F", "-I", "-i", "-J", "-L", "-l", "-m", "-O", "-o", "-p", "-P", "-Q",
        "-R", "-S", "-W", "-w", "--rsh", "--port", "--exclude", "--include", "--exclude-from",
        "--password-file", "--filter",
    }
)  # fmt: skip
FTP_WITH_VALUE = frozenset({"-u", "-p", "-e", "-c", "-f", "-P"})
REMOTE_SHELLS = frozenset({"ssh", "autossh", "sftp", "lftp", "ftp", "telnet", "nc", "ncat", "ping"})
REMOTE_COPIES = frozenset({"scp", "rsync", "sshfs", "rcp"})
MAILERS = frozenset({"mail", "mailx", "sendmail", "mutt", "esmtp", "msmtp", "ssmtp", "swaks"})
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1", "0.0.0.0"})  # noqa: S104 (compared, not bound)

DETACHING = {
    "nohup": "is for processes that outlive the command; in a Pod they end with it. Remove it and the `&`.",
    "screen": "starts a session in the background, which ends with the Pod; run the command itself.",
    "tmux": "starts a session in the background, which ends with the Pod; run the command itself.",
    "daemon": "starts a daemon, which ends with the Pod; make it a Deployment.",
    "daemonize": "starts a daemon, which ends with the Pod; make it a Deployment.",
    "start-stop-daemon": "starts a daemon, which ends with the Pod; make it a Deployment.",
    "disown": "leaves a process behind, which ends with the Pod.",
    "at": "puts work off to a daemon that no Pod has; make it a DAG.",
    "batch": "puts work off to a daemon that no Pod has; make it a DAG.",
}

SWITCHING = frozenset({"su", "sudo", "runuser", "doas", "gosu", "su-exec", "setuidgid"})
"""Programs that switch users; a Pod's container may gain no rights."""

_SERVICES = "works on the services of the old host."
_PACKAGES = "works on the packages of the old host."
_DISKS = "works on the disks of the old host."
_KERNEL = "works on the kernel or the clock of the old host."
_NETWORK = "works on the network of the old host."
_CONTAINERS = "works on the containers of the old host."
_LOGS = "works on the logs of the old host; in Kubernetes logs leave the Pod by themselves."
_PROCESSES = "works on the processes of the old host, which a Pod does not see."
_ACCOUNTS = "works on the accounts of the old host."
_CONFIGURATION = "brings the old host to its wanted state."
_DEVICES = "works on a device of the old host."
_MAIL = "works on the mail server of the old host."
_WATCH = "looks after the old host itself."
_CERTIFICATES = "renews the certificates of the old host's servers."

HOST_ONLY = {
    name: why
    for why, names in {
        _SERVICES: "systemctl service invoke-rc.d rc-service initctl supervisorctl monit apachectl apache2ctl a2ensite "
        "crontab anacron svc sv s6-svc fail2ban-client reboot shutdown poweroff halt init telinit nginx httpd apache2 "
        "rndc varnishadm pm2 passenger-config fwconsole asterisk atrun",
        _PACKAGES: "apt apt-get aptitude dselect dpkg unattended-upgrade unattended-upgrades yum dnf rpm zypper pacman "
        "snap flatpak needrestart freshclam updatedb updatedb.mlocate mandb yaourt yay paru pkgfile emerge eix-sync "
        "apk opkg pkg portsnap freebsd-update brew apticron cron-apt do-release-upgrade apt-show-versions",
        _DISKS: "mdadm checkarray zpool zfs btrfs lvm lvs vgs lvcreate lvremove smartctl fstrim mount umount swapon "
        "swapoff fsck e2fsck tune2fs hdparm quotacheck repquota debugfs e2scrub_all e2scrub_all_cron xfs_fsr parted "
        "dmsetup raid-check MegaCli MegaCli64 megacli storcli tw_cli arcconf zfs-auto-snapshot sanoid syncoid snapper "
        "btrbk timeshift",
        _KERNEL: "hwclock adjkerntz save-entropy ntpdate chronyc ntpq timedatectl modprobe sysctl dmesg setenforce "
        "restorecon rngtest sensors",
        _NETWORK: "iptables ip6tables iptables-restore ipset nft ufw firewall-cmd ifconfig ifup ifdown route "
        "wpa_cli nmcli iwconfig tc netfilter-persistent update-ipsets firehol shorewall ddclient wg-quick",
        _CONTAINERS: "docker docker-compose podman lxc lxc-attach virsh vzdump qm pct crictl nerdctl vagrant",
        _LOGS: "logrotate journalctl savelog sa1 sa2 debian-sa1 sadc newsyslog logwatch logcheck",
        _PROCESSES: "kill killall pkill killall5 renice",
        _ACCOUNTS: "useradd usermod userdel adduser deluser passwd chpasswd chage newusers",
        _CONFIGURATION: "puppet puppetd chef-client chef-solo ansible-pull salt-call salt-minion cf-agent cf-execd "
        "etckeeper",
        _DEVICES: "raspistill raspivid libcamera-still libcamera-vid rpicam-still fswebcam vcgencmd gpio amixer "
        "alsactl tvservice xset xrandr notify-send rfkill upsc",
        _MAIL: "postfix postqueue postsuper exim exim4 sa-update doveadm newaliases",
        _WATCH: "rkhunter chkrootkit aide tripwire lynis debsums check-support-status periodic",
        _CERTIFICATES: "certbot certbot-auto letsencrypt letsencrypt-auto acme.sh dehydrated",
    }.items()
    for name in names.split()
}
"""Programs that make sense only on the old host, and why."""


@dataclass(frozen=True)
class Client:
    """A program that talks to its own machine unless it is told otherwise."""

    server: str
    variable: str
    options: tuple[str, ...] = ("-h", "--host")
    addresses: tuple[str, ...] = ()

    def names_host(self, word: str) -> bool:
        """Tell whether an argument says which host to talk to."""
        return self.host_of(word, "?") is not None or word.startswith(self.addresses or ("\0",))

    def host_of(self, word: str, after: str) -> str | None:
        """Return the host that an argument names, with the argument after it."""
        for option in self.options:
            if word == option:
                return after
            if option.startswith("--") and word.startswith(option + "="):
                return word[len(option) + 1 :]
            if not option.startswith("--") and word.startswith(option) and not word.startswith("--"):
                return word[len(option) :].removeprefix("=")
        return None


_MYSQL = Client("MySQL", "MYSQL_HOST")
_POSTGRES = Client("PostgreSQL", "PGHOST", addresses=("postgres://", "postgresql://", "host="))
_MONGO = Client("MongoDB", "MONGO_HOST", ("--host", "--uri"), ("mongodb://", "mongodb+srv://"))
CLIENTS = (
    dict.fromkeys(
        ("mysql", "mysqldump", "mysqladmin", "mysqlcheck", "mysqlimport", "mysqlshow", "mariadb", "mariadb-dump"),
        _MYSQL,
    )
    | dict.fromkeys(
        ("psql", "pg_dump", "pg_dumpall", "pg_restore", "vacuumdb", "reindexdb", "createdb", "dropdb", "pg_basebackup"),
        _POSTGRES,
    )
    | dict.fromkeys(("mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"), _MONGO)
    | {
        "redis-cli": Client("Redis", "REDIS_HOST", ("-h", "-u"), ("redis://", "rediss://")),
        "ldapsearch": Client("LDAP", "LDAPURI", ("-h", "-H"), ("ldap://", "ldaps://")),
        "beanstalkd-cli": Client("Beanstalk", "BEANSTALK_HOST"),
        "rabbitmqctl": Client("RabbitMQ", "RABBITMQ_NODENAME", ("-n", "--node")),
        "rabbitmqadmin": Client("RabbitMQ", "RABBITMQ_HOST", ("-H", "--host")),
    }
)
