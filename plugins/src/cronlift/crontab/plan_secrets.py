"""Passwords that leave the commands: which Secret of the namespace brings each, under which key."""

from collections.abc import Mapping


class SecretStore:
    """Collects the passwords of an import, a Secret for each group.

    Args:
        namespace: Of the team; for the command that creates the Secrets.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._values: dict[str, dict[str, str]] = {}

    def place(
        self, group: str, passwords: Mapping[str, str], decided: Mapping[str, tuple[str, str]]
    ) -> dict[str, tuple[str, str]]:
        """Find a place for the passwords of a line.

        Args:
            group: Of the line.
            passwords: Variable -> password.
            decided: Variable -> name and key of a Secret that people named.

        Returns:
            Variable -> name and key of the Secret that brings it.
        """
        known = self._values.setdefault(group, {})
        found = {}
        for variable, password in passwords.items():
            if variable in decided:
                found[variable] = decided[variable]
                continue
            key, number = variable, 1
            while known.get(key, password) != password:
                number += 1
                key = f"{variable}_{number}"
            known[key] = password
            found[variable] = (secret_name(group), key)
        return found

    def command_for(self, places: Mapping[str, tuple[str, str]]) -> str:
        """Return the kubectl command that creates the Secrets of a line, with variables for the passwords."""
        names = sorted({name for name, _ in places.values()})
        commands = []
        for name in names:
            keys = sorted(key for other, key in places.values() if other == name)
            literals = " ".join(f'--from-literal={key}="${key}"' for key in keys)
            where = f" --namespace {self._namespace}" if self._namespace else ""
            commands.append(f"kubectl create secret generic {name}{where} {literals}")
        return "; ".join(commands)


def secret_name(group: str) -> str:
    """Return the name of a group's Secret."""
    return f"cron-{group.replace('_', '-')}"[:253].rstrip("-")
