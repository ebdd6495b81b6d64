"""Quantities, and how full a quota is."""

from decimal import Decimal

import pytest

from cronlift.cluster.quota import fullest
from cronlift.job.quantity import parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", "4"),
        ("0", "0"),
        ("500m", "0.5"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("2k", "2000"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("3G", "3000000000"),
        ("2e3", "2000"),
        ("5E2", "500"),
        ("1E", "1000000000000000000"),
        ("100u", "0.0001"),
        ("-1", "-1"),
    ],
)
def test_a_quantity_is_read(text, value):
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "1.2.3", "4 cores", "Gi", "1kb", "0x10"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="is no quantity"):
        parse_quantity(text)


def quota(hard, used):
    return {"metadata": {"name": "cronlift"}, "status": {"hard": hard, "used": used}}


def test_the_fullest_resource_tells_how_full_a_quota_is():
    share, words = fullest(quota({"requests.cpu": "4", "count/jobs.batch": "200"}, {"requests.cpu": "500m"}))
    assert share == Decimal("0.125")
    assert words == "count/jobs.batch 0 of 200, requests.cpu 500m of 4"


@pytest.mark.parametrize(
    ("hard", "used", "share"),
    [({"pods": "3"}, {"pods": "3"}, 1), ({"pods": "0"}, {"pods": "0"}, 1), ({}, {}, 0), ({"pods": "2"}, {}, 0)],
    ids=["used-up", "nothing-allowed", "not-counted-yet", "unused"],
)
def test_shares_at_the_edges(hard, used, share):
    assert fullest(quota(hard, used))[0] == share
