"""Schedules in plain words."""

import pytest

from cronlift.crontab.describe import describe
from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.model import Flavour


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * *", "Every minute, every day, UTC"),
        ("*/5 * * * *", "Every 5 minutes, every day, UTC"),
        ("*/45 * * * *", "At minutes 0 and 45, every day, UTC"),
        ("7 * * * *", "Every hour, 7 min past, every day, UTC"),
        ("@hourly", "Every hour, every day, UTC"),
        ("30 2 * * *", "At 02:30, every day, UTC"),
        ("0,30 2 * * 1-5", "At 02:00 and 02:30, Monday to Friday, UTC"),
        ("*/10 8-18 * * *", "Every 10 minutes of hours 8-18, every day, UTC"),
        ("0 */2 * * *", "At minute 0 of every 2 hours, every day, UTC"),
        ("0 4 1,15 * *", "At 04:00, on days 1 and 15 of the month, UTC"),
        ("0 4 1 * 1", "At 04:00, on day 1 of the month and every Monday, UTC"),
        ("0 4 */2 * 1", "At 04:00, on days 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29 and 31 of the month"
         " if that is Monday, UTC"),
        ("0 12 1-7 * */7", "At 12:00, on days 1-7 of the month if that is Sunday, UTC"),
        ("0 4 * 1-3 *", "At 04:00, January to March, UTC"),
        ("0 4 * jan,dec 6,0", "At 04:00, on Saturday and Sunday, in January and December, UTC"),
        ("0 4 1 * fri-sun", "At 04:00, on day 1 of the month, UTC"),
        ("0 4 1-31 * 3", "At 04:00, every day, UTC"),
        ("@reboot", "When the machine starts"),
        ("0 0 31 2 *", "Never"),
    ],
)  # fmt: skip
def test_schedule_is_told_in_words(text: str, words: str) -> None:
    assert describe(parse_schedule(text, Flavour.DEBIAN), "UTC") == words
