"""A pull request's summary becomes a comment as data: wrong sizes, wrong people and active text get nowhere."""

import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from ci import comment as commenting
from ci.comment_text import BREAK, MARK, MAX_BYTES, MAX_CHARACTERS, UntrustedTextError, comment, defuse
from ci.errors import CiError, UserError
from ci.summary import render

SHA = "a" * 40
RUN = {
    "id": 7, "event": "pull_request", "head_sha": SHA, "head_branch": "work", "html_url": "https://github.com/x/runs/7",
    "head_repository": {"id": 2, "owner": {"login": "fork"}},
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "@everybody", "[x](https://evil.example)", "![x](//evil.example/p.png)", "<img src=x>", "<!-- x -->",
        "https://evil.example", "www.evil.example", "#12", "GH-12", "[x]: https://evil.example", "[x][y]",
        "&lt;script&gt;", "&#60;b&#62;", "MAILTO:x", "javascript:alert(1)", ":shipit:", "$`x`$", MARK,
    ],
)  # fmt: skip
def test_nothing_active_is_left_of_a_text(text):
    found = defuse(text)
    assert found != text
    assert found.replace(BREAK, "") == text
    for active in ("<", "@"):
        assert all(part.startswith(BREAK) for part in found.split(active)[1:])


@pytest.mark.parametrize(
    "text",
    ["# DAGs", "| a | b |\n| --- | --- |", "- `*/5 * * * *` -> `0 3 * * *`", "**lost history**", "```diff\n+ a\n```",
     "at 03:00:00 UTC", "a & b > c"],
)  # fmt: skip
def test_headings_tables_and_code_stay_as_they_are(text):
    assert defuse(text) == text


def test_a_summary_of_ours_stays_readable():
    text = render("## DAGs\n\n| DAG | |\n| --- | --- |\n| `demo__x` | new |", {"local": "+++ now\n+ replicas: 2"})
    assert defuse(text) == text


def test_what_nobody_sees_is_taken_out():
    assert defuse("a\u202eb\u200d\x1b[31m\x00\r\nc\td\u2066") == "ab[31m\nc\td"


@pytest.mark.parametrize(
    ("raw", "words"), [(b"x" * (MAX_BYTES + 1), "more than"), (b"\xff\xfe", "no UTF-8")], ids=["large", "binary"]
)
def test_what_is_no_text_of_bearable_size_is_refused(raw, words):
    with pytest.raises(UntrustedTextError, match=words):
        comment(raw, "https://github.com/x")


def test_a_long_text_is_cut_at_a_line_with_its_code_block_closed():
    text = comment(("```diff\n" + "+ line\n" * 20000).encode(), "https://github.com/x")
    assert len(text) < MAX_CHARACTERS + 500
    assert text.rstrip().endswith("+ line\n```\n\nThe rest is in the run's own summary.")
    assert text.startswith(MARK)


class _GitHub(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        self.server.asked.append((self.command, url.path, self.headers.get("Authorization")))
        if url.path == "/storage":
            return self._answer(self.server.archive, "application/zip")
        if url.path.endswith("/zip"):
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/storage")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if url.path.endswith("/pulls"):
            return self._json(self.server.pulls if parse_qs(url.query)["head"] == ["fork:work"] else [])
        if url.path.endswith("/artifacts"):
            return self._json({"artifacts": self.server.artifacts})
        return self._json(self.server.comments)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.written.append((self.command, urlsplit(self.path).path, body["body"]))
        self._json({})

    do_PATCH = do_POST

    def _json(self, thing):
        self._answer(json.dumps(thing).encode(), "application/json")

    def _answer(self, content, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words):
        pass


def archive(name="summary.md", content=b"# DAGs\n"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
    return buffer.getvalue()


def pull(number=5, sha=SHA, repository=2):
    return {"number": number, "head": {"sha": sha, "repo": {"id": repository}}}


@pytest.fixture
def github(tmp_path, monkeypatch):
    """A GitHub of our own, with one open pull request from a fork, whose run left a summary."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _GitHub) as server:
        server.daemon_threads = True
        server.asked, server.written, server.comments = [], [], []
        server.pulls, server.archive = [pull()], archive()
        server.artifacts = [{"id": 3, "size_in_bytes": 200}]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        event = tmp_path / "event.json"
        event.write_text(json.dumps({"workflow_run": RUN}))
        for name, value in {"GITHUB_EVENT_PATH": event, "GITHUB_REPOSITORY": "acme/cronlift", "GITHUB_TOKEN": "t0ken",
                            "GITHUB_API_URL": f"http://127.0.0.1:{server.server_port}"}.items():  # fmt: skip
            monkeypatch.setenv(name, str(value))
        server.event = event
        yield server
        server.shutdown()


def test_a_first_run_makes_the_comment_and_a_later_one_changes_it(github):
    commenting.main()
    [(method, path, body)] = github.written
    assert (method, path) == ("POST", "/repos/acme/cronlift/issues/5/comments")
    assert body.startswith(MARK)
    assert "# DAGs" in body
    github.comments = [{"id": 8, "user": {"login": "mallory"}, "body": body},
                       {"id": 9, "user": {"login": commenting.AUTHOR}, "body": body}]  # fmt: skip
    commenting.main()
    assert github.written[1][:2] == ("PATCH", "/repos/acme/cronlift/issues/comments/9")


def test_the_token_does_not_go_to_where_the_artifact_lies(github):
    commenting.main()
    assert {token for _, path, token in github.asked if path == "/storage"} == {None}
    assert {token for _, path, token in github.asked if path != "/storage"} == {"Bearer t0ken"}


@pytest.mark.parametrize(
    "pulls",
    [[], [pull(sha="b" * 40)], [pull(repository=99)], [{"number": 5, "head": {"sha": SHA, "repo": None}}]],
    ids=["closed", "moved-on", "another-repository", "repository-deleted"],
)
def test_a_number_that_the_event_does_not_confirm_gets_no_comment(github, pulls, capsys):
    github.pulls = pulls
    commenting.main()
    assert github.written == []
    assert "no comment" in capsys.readouterr().out


def test_a_number_in_the_artifact_means_nothing(github):
    github.archive = archive(content=b"PR_NUMBER=1\n")
    commenting.main()
    assert github.written[0][1] == "/repos/acme/cronlift/issues/5/comments"


def test_a_run_without_a_summary_gets_no_comment(github, capsys):
    github.artifacts = []
    commenting.main()
    assert "left no summary" in capsys.readouterr().out
    assert github.written == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"artifacts": [{"id": 3, "size_in_bytes": 10**9}]}, "has 1000000000 bytes"),
        ({"archive": b"x" * (commenting.MAX_ARCHIVE_BYTES + 1)}, "has more than"),
        ({"archive": b"no zip"}, "no archive"),
        ({"archive": archive("../summary.md")}, "no archive with summary.md"),
        ({"archive": archive(content=b"0" * 10_000_000)}, "more than"),
        ({"archive": archive(content=b"\xff")}, "no UTF-8"),
    ],
    ids=["told-size", "real-size", "no-zip", "another-member", "zip-bomb", "binary"],
)
def test_an_artifact_that_is_not_small_text_is_refused(github, change, words):
    for name, value in change.items():
        setattr(github, name, value)
    with pytest.raises(UserError, match=words):
        commenting.main()
    assert github.written == []


@pytest.mark.parametrize(
    "event", [{}, {"workflow_run": {**RUN, "event": "push"}}, {"workflow_run": {**RUN, "head_sha": "x; rm"}}]
)
def test_another_event_is_refused(github, event):
    github.event.write_text(json.dumps(event))
    with pytest.raises(UserError, match="no finished run for a pull request"):
        commenting.main()


def test_a_refusal_of_github_is_told_without_the_token(github, monkeypatch):
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    with pytest.raises(CiError, match="does not answer GET") as told:
        commenting.main()
    assert "t0ken" not in str(told.value)


def test_at_home_there_is_nothing_to_comment_on(monkeypatch):
    monkeypatch.delenv("GITHUB_EVENT_PATH", raising=False)
    with pytest.raises(UserError, match="GITHUB_EVENT_PATH"):
        commenting.main()
