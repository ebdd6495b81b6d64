"""What a line of `@reboot` was for is guessed, for the person who decides."""

import pytest

from cronlift.crontab.command import analyse_command
from cronlift.crontab.model import Flavour
from cronlift.crontab.reboot import Boot, classify


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("/srv/shop/bin/worker --daemon", Boot.DAEMON),
        ("$VV $VIROVERSE/scripts/restart-server", Boot.DAEMON),
        ("sleep 60 && /usr/bin/python3 /home/pi/app.py &", Boot.DAEMON),
        ("/usr/bin/screen -dmS irc irssi", Boot.DAEMON),
        ("nohup /opt/x > /dev/null 2>&1 &", Boot.DAEMON),
        ("cd /srv && node telegrambot.js", Boot.DAEMON),
        ("ssh -N -R 2222:localhost:22 joe@host", Boot.DAEMON),
        ("rm -rf /srv/tmp/*", Boot.ONCE),
        ('/bin/echo "Subject: reboot" | /usr/local/bin/esmtp ops@example.org', Boot.ONCE),
        ("iptables-restore < /etc/iptables.rules", Boot.HOST),
        ("docker start shop", Boot.HOST),
        ("just --justfile $HOME/justfile deploy", Boot.UNKNOWN),
        ("/home/pi/start.sh", Boot.UNKNOWN),
    ],
)
def test_line_is_classified(command: str, kind: Boot) -> None:
    found = classify(command, analyse_command(command, flavour=Flavour.DEBIAN))
    assert found.kind is kind, found
    assert found.reason.endswith(".")
    assert found.cure.endswith(".")
