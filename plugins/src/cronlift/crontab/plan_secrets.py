"""Passwords that leave the commands: which Secret of the namespace brings each, under which key."""

from collections.abc import Mapping


class SecretStore:
    """Collects the passwords of an import, a Secret for each group."""

    def __init__(self) -> None:
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


def secret_name(group: str) -> str:
    """Return the name of a group's Secret."""
    return f"cron-{group.replace('_', '-')}"[:253].rstrip("-")
