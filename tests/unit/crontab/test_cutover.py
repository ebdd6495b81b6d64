"""Lines that moved, and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.crontab.cutover import is_same_line, migrate_lines, restore_lines
from cronlift.errors import CrontabError

TAB = b"MAILTO=x\n0 3 * * * /a.sh\r\n# note\n5 4 * * * mysqldump -ps3cret! x\n\xff\xfe odd\n6 5 * * * /c"


def test_lines_get_a_mark_and_lose_it_again():
    wanted = {2: ("t__a", "0 3 * * * /a.sh\r"), 4: ("t__b", "5 4 * * * mysqldump -p*** x")}
    moved = migrate_lines(TAB, wanted, "2026-12-01", "tab")
    assert moved.lines == (2, 4)
    assert moved.content.split(b"\n")[1] == b"#MIGRATED t__a 2026-12-01 0 3 * * * /a.sh\r"
    assert migrate_lines(moved.content, wanted, "2027-01-01", "tab").content == moved.content
    assert restore_lines(moved.content).content == TAB
    assert restore_lines(moved.content, {"t__b"}).lines == (4,)


def test_line_that_is_another_by_now_is_refused():
    wanted = {2: ("t__a", "0 4 * * * /a.sh"), 9: ("t__z", "x")}
    with pytest.raises(CrontabError) as caught:
        migrate_lines(TAB, wanted, "2026-12-01", "tab")
    assert [fault.where for fault in caught.value.faults] == ["tab:2", "tab:9"]


@given(st.binary().filter(lambda content: b"#MIGRATED" not in content), st.data())
def test_every_file_comes_back_byte_by_byte(content, data):
    lines = content.split(b"\n")
    chosen = data.draw(st.sets(st.integers(1, len(lines))))
    wanted = {each: ("t__x", lines[each - 1].decode("utf-8", "backslashreplace")) for each in chosen}
    assert restore_lines(migrate_lines(content, wanted, "2026-12-01", "tab").content).content == content


def test_masked_line_is_known_again():
    assert is_same_line(b"a -psecret b", "a -p*** b")
    assert not is_same_line(b"a -psecret c", "a -p*** b")
