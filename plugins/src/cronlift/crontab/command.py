"""What a cron command needs of its host: programs, paths, locks, and whether it can run in a Pod at all."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from cronlift.crontab import command_tables as tables
from cronlift.crontab.bashisms import find_bashisms
from cronlift.crontab.model import Flavour
from cronlift.crontab.outputs import Output, kernel_files, outputs_of, written_files
from cronlift.crontab.redirection import FinalRedirection, final_redirection
from cronlift.crontab.secrets import Secret, find_secrets
from cronlift.crontab.shell import parse_shell
from cronlift.crontab.shell_tree import AndOr, Group, Script, Simple
from cronlift.crontab.wrappers import Invocation, unwrap

_T = TypeVar("_T")
_URL_HOST = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^\s/@'\"]*@)?(\[[0-9a-f:]+\]|[A-Za-z0-9_.-]+)", re.IGNORECASE)
_REMOTE = re.compile(r"(?:[\w.-]+@)?([A-Za-z0-9][A-Za-z0-9.-]*):.*\Z|[\w.-]+@([A-Za-z0-9.-]+)\Z")
_LOCAL_ARGUMENT = re.compile(r"(?:-h|--host=)?(localhost|127\.0\.0\.1|::1)(?::[0-9]+)?")
_NO_TIME = re.compile(r" (?:-[a-z]*[wt] ?|--(?:wait|timeout)[ =])0(?: |\Z)")
"""How flock and lockf are told to give up at once, by a time of 0."""
_ABSOLUTE = re.compile(r"(?:^|[=:,@])(/[^\s:,;'\"=<>|&]+)")


@dataclass(frozen=True)
class Guard:
    """What decides at its start whether a command runs at all.

    Args:
        kind: "flock", "lockf", "lockfile", "setlock", "run-one", "solo", "pidfile", "test", "grep", "diff" or "pgrep".
        target: The lock's file, or what is tested; empty when it is not known.
        waits: Whether a second start waits for the first to end (True), gives up (False), or it is no lock (None).
        text: The guard as written.
        fails: Whether the command ends with another code than 0 when the guard keeps it from running.
    """

    kind: str
    target: str
    waits: bool | None
    text: str
    fails: bool = False

    @property
    def is_lock(self) -> bool:
        """Whether it keeps two runs apart."""
        return self.waits is not None


@dataclass(frozen=True)
class CommandFacts:
    """What is known of a command without running it.

    Args:
        programs: What is started, as written and each once, shell builtins left out.
        paths: The absolute paths that are named, folders and files alike, each once; /dev is left out.
        guards: Locks, and tests that keep it from running.
        redirection: The redirection of its output at the end, when it can be cut out; None otherwise.
        outputs: The other files that it writes to by redirections and by `tee`, each once; /dev and /tmp are left out.
        background: What goes on after the command ends and so dies with the Pod, a sentence each.
        bashisms: What dash does not understand, when the shell is dash; a sentence each.
        secrets: Passwords that are written down in it; the spans are those of the command.
        host_only: Why it makes sense only on the old host, a sentence each.
        localhost: What it expects on its own machine, a sentence each.
        hosts: The hosts that it talks to, each once.
        run_parts: The folders whose scripts it runs.
        folder: Where it goes to by `cd`, as written; empty when it stays at home, None when it goes to several.
        expects_exit: Whether a guard makes it end with an exit code other than 0 on a normal day.
        fault: Why the shell cannot read it; None when it can. Such a job always failed.
        switches: Why it cannot work in a Pod, which may not switch users; a sentence each.
    """

    programs: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()
    redirection: FinalRedirection | None = None
    outputs: tuple[Output, ...] = ()
    background: tuple[str, ...] = ()
    bashisms: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    host_only: tuple[str, ...] = ()
    localhost: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    run_parts: tuple[str, ...] = ()
    folder: str | None = ""
    expects_exit: bool = False
    fault: str | None = None
    switches: tuple[str, ...] = ()


def analyse_command(
    command: str,
    *,
    flavour: Flavour,
    environment: Iterable[tuple[str, str]] = (),
) -> CommandFacts:
    """Find out what a command needs of its host.

    Args:
        command: What `SHELL -c` gets.
        flavour: The daemon, which says what /bin/sh is: dash on Debian, bash with cronie.
        environment: The crontab's variables; SHELL among them, and those that stand in paths.
    """
    variables = dict(environment)
    bash = is_bash(variables.get("SHELL", "/bin/sh"), flavour)
    script = parse_shell(command, bash=bash, variables=variables)
    simples = list(_simples(script, bash, variables))
    invocations = [each for simple in simples for each in unwrap(simple)]
    ending = {each.text for simple in _simples(_end(script), bash, variables) for each in unwrap(simple)}
    locks = [replace(each, fails=not each.waits and each.text in ending) for each in _lock_guards(invocations, script)]
    guards = _unique([*locks, *_test_guards(script)])
    final = final_redirection(command, script)
    written = written_files(script, simples, invocations)
    return CommandFacts(
        programs=_unique(each.program for each in invocations if each.name not in tables.BUILTINS),
        paths=_unique(_paths(script, simples)),
        guards=guards,
        redirection=final,
        outputs=outputs_of(written, script, final, {each.target for each in locks}),
        background=_unique(_background(script, invocations)),
        bashisms=tuple(find_bashisms(command)) if _is_dash(variables.get("SHELL", "/bin/sh"), bash) else (),
        secrets=find_secrets(command),
        host_only=_unique([*_host_only(invocations), *kernel_files(written)]),
        localhost=_unique(_localhost(invocations, variables, command)),
        hosts=_unique(_hosts(invocations, command)),
        run_parts=_unique(_run_parts(invocations)),
        folder=_folder(invocations),
        expects_exit=any(guard.fails for guard in guards),
        switches=_unique(_switches(invocations)),
        fault=script.fault,
    )


def is_bash(shell: str, flavour: Flavour) -> bool:
    """Tell whether the shell of a job is bash: by its name, or because sh is bash on the host."""
    name = shell.rsplit("/", 1)[-1]
    return name in ("bash", "rbash", "zsh", "ksh") or (name == "sh" and flavour is Flavour.CRONIE)


def _is_dash(shell: str, bash: bool) -> bool:
    return not bash and shell.rsplit("/", 1)[-1] in ("sh", "dash", "ash")


def _simples(script: Script, bash: bool, variables: dict[str, str]) -> Iterator[Simple]:
    """Yield every simple command, those in `bash -c "…"` and `su -c "…"` too."""
    for command in script.everything():
        if not isinstance(command, Simple):
            continue
        yield command
        for each in unwrap(command):
            if each.script is not None:
                inner = parse_shell(each.script, bash=bash or each.program.endswith("bash"), variables=variables)
                yield from _simples(inner, bash, variables)


def _end(script: Script) -> Script:
    """Return what decides a command's exit code: its last item, unless `||` catches what fails in it."""
    return Script(tuple(item for item in script.items[-1:] if "||" not in item.operators))


def _paths(script: Script, simples: Sequence[Simple]) -> Iterator[str]:
    redirections = [each for command in script.everything() for each in command.redirections]
    groups = [word for command in script.everything() if isinstance(command, Group) for word in command.words]
    words = [word for simple in simples for word in (*simple.assignments, *simple.words)]
    targets = [each.target for each in (*redirections, *(each for one in simples for each in one.redirections))]
    for word in sorted({*words, *groups, *targets}, key=lambda each: each.start):
        if word.value is not None and word.value.startswith("/") and "," not in word.value and ":" not in word.value:
            candidates = [word.value]
        else:
            candidates = [] if "://" in word.shown else _ABSOLUTE.findall(word.shown)
        for candidate in candidates:
            path = candidate.rstrip("/)\\")
            if path and "$" not in path and "`" not in path and not path.startswith(("/dev/", "/proc/", "//")):
                yield path


def _lock_guards(invocations: Sequence[Invocation], script: Script) -> Iterator[Guard]:
    descriptors = _descriptors(script)
    for each in invocations:
        name = each.name
        if name == "flock":
            operands = each.operands(tables.FLOCK_WITH_VALUE)
            target = operands[0] if operands else ""
            waits = not any(word in ("--nonblock", "--nb") or re.match(r"-[a-z]*n", word) for word in each.options)
            waits = waits and not _NO_TIME.search(each.text)
            yield Guard("flock", descriptors.get(target, target), waits, each.text)
        elif name == "lockf":
            operands = each.operands(frozenset({"-t"}))
            yield Guard("lockf", operands[0] if operands else "", not _NO_TIME.search(each.text), each.text)
        elif name == "lockfile":
            operands = each.operands(frozenset({"-r", "-l", "-s"}))
            waits = not any(word.startswith("-r") for word in each.options)
            yield Guard("lockfile", operands[0] if operands else "", waits, each.text)
        elif name == "setlock":
            operands = each.operands(frozenset())
            waits = not any(re.match(r"-[a-zX]*n", word) for word in each.options)
            yield Guard("setlock", operands[0] if operands else "", waits, each.text)
        elif name in ("run-one", "run-this-one", "keep-one-running"):
            yield Guard("run-one", "", False, each.text)
        elif name == "solo":
            port = next((word.split("=", 1)[1] for word in each.options if word.startswith("-port=")), "")
            yield Guard("solo", port, False, each.text)
        elif name in ("dotlockfile", "lckdo", "with-lock-ex", "cronlock", "lock_run"):
            yield Guard("lockfile", (each.operands(frozenset()) or [""])[0], False, each.text)


def _descriptors(script: Script) -> dict[str, str]:
    """Return the files behind descriptors, as in `( flock -n 9 … ) 9>/var/lock/x`."""
    return {
        str(each.descriptor): each.target.shown
        for command in script.everything()
        for each in command.redirections
        if each.descriptor is not None and not each.target.shown.isdigit()
    }


def _test_guards(script: Script) -> Iterator[Guard]:
    """Yield the tests that stand in front of `&&` or `||`, or in an `if`."""
    for item in script.items:
        for at, pipeline in enumerate(item.pipelines[:-1]):
            last = pipeline.commands[-1]
            fails = item is script.items[-1] and "||" not in item.operators[at:]
            if isinstance(last, Group):
                if last.kind in ("[[", "(("):
                    yield Guard("test", " ".join(word.text for word in last.words), None, last.kind, fails)
                continue
            for each in unwrap(last):
                if (kind := tables.TESTS.get(each.name)) is None:
                    continue
                text = " ".join(each.arguments)
                if kind == "test" and re.search(r"\.(pid|lock|lck)\b", text):
                    yield Guard("pidfile", _first_path(each), False, each.text, fails)
                else:
                    yield Guard(kind, text.removesuffix(" ]"), None, each.text, fails)


def _first_path(each: Invocation) -> str:
    return next((word for word in each.arguments if "/" in word or "." in word), "")


def _background(script: Script, invocations: Sequence[Invocation]) -> Iterator[str]:
    names = {each.name for each in invocations}
    if "wait" not in names and any(item.background for item in _items(script)):
        yield "`&` leaves a process behind that ends with the Pod; remove the `&`, or add `; wait`."
    for each in invocations:
        if (why := tables.DETACHING.get(each.name)) is None:
            continue
        detached = each.name not in ("screen", "tmux") or any(
            word == "new-session" or re.match(r"-[a-zA-Z]*d", word) for word in each.arguments
        )
        if detached:
            yield f"`{each.name}` {why}"


def _items(script: Script) -> Iterator[AndOr]:
    yield from script.items
    for command in script.everything():
        if isinstance(command, Group):
            for body in command.bodies:
                yield from body.items


def _host_only(invocations: Sequence[Invocation]) -> Iterator[str]:
    for each in invocations:
        if each.program.startswith("/etc/init.d/"):
            yield f"`{each.program}` works on the services of the old host."
        elif (why := tables.HOST_ONLY.get(each.name)) is not None:
            yield f"`{each.name}` {why}"


def _switches(invocations: Sequence[Invocation]) -> Iterator[str]:
    for each in invocations:
        if each.name in tables.SWITCHING:
            yield f"`{each.name}` switches to another user, which a Pod may not."


def _localhost(invocations: Sequence[Invocation], variables: dict[str, str], command: str) -> Iterator[str]:
    for each in invocations:
        client = tables.CLIENTS.get(each.name)
        if client is None:
            continue
        named = client.variable in variables or f"{client.variable}=" in command
        if not named and not any(client.names_host(word) for word in each.arguments):
            yield f"`{each.name}` without a host talks to {client.server} on its own machine; name the host."
    for host in dict.fromkeys(_URL_HOST.findall(command)):
        if host in tables.LOCAL_HOSTS:
            yield f"`{host}` in an address is the old host itself; name the service."
    for each in invocations:
        for word in each.arguments:
            if each.name not in tables.BUILTINS and (found := _LOCAL_ARGUMENT.fullmatch(word)):
                yield f"`{each.name}` talks to {found[1]}; name the host."
            elif word.endswith(".sock"):
                yield f"`{word}` is a socket of the old host; name the service."
        if each.name in tables.MAILERS:
            yield f"`{each.name}` hands mail to the old host's mail server; set a relay in the image."


def _hosts(invocations: Sequence[Invocation], command: str) -> Iterator[str]:
    for host in _URL_HOST.findall(command):
        if host not in tables.LOCAL_HOSTS:
            yield host
    for each in invocations:
        arguments = each.arguments
        if each.name in tables.REMOTE_COPIES:
            for word in each.operands(tables.SSH_WITH_VALUE):
                if found := _REMOTE.match(word):
                    yield next(group for group in found.groups() if group)
        elif each.name in tables.REMOTE_SHELLS:
            operands = each.operands(tables.FTP_WITH_VALUE if "ftp" in each.name else tables.SSH_WITH_VALUE)
            if operands and "$" not in operands[0]:
                yield operands[0].rsplit("@", 1)[-1]
        elif (client := tables.CLIENTS.get(each.name)) is not None:
            for word, after in pairwise((*arguments, "")):
                host = client.host_of(word, after)
                if host and host not in tables.LOCAL_HOSTS and not host.startswith(("/", "$")):
                    yield host


def _run_parts(invocations: Sequence[Invocation]) -> Iterator[str]:
    for each in invocations:
        if each.name == "run-parts":
            yield from (word for word in each.operands(frozenset({"-a", "-u"})) if word.startswith("/"))


def _folder(invocations: Sequence[Invocation]) -> str | None:
    folders = {(each.operands(frozenset()) or ["~"])[0] for each in invocations if each.name in ("cd", "pushd")}
    return folders.pop() if len(folders) == 1 else None if folders else ""


def _unique(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))
