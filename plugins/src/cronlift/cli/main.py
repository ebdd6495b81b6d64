"""The `cronlift` command. Each subcommand has a module of its own, imported when it is asked for.

Results go to stdout, faults and progress to stderr. Exit codes: 0 well, 1 a fault was found, 2 wrong usage. With --json
stdout is one JSON object in each of these cases.
"""

import json
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from keyword import iskeyword
from typing import Any

import click

_COMMANDS = (
    *("import", "fires", "prove", "replay", "cutover", "compare"),
    *("new", "check", "diff", "bump", "teams"),
    *("render", "validate", "doctor", "where", "sweep", "migrate"),
)


class _Commands(click.Group):
    """Finds subcommand `x` as `cronlift.cli.x.x_command`: only what is asked for costs time."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words, for a usage error that is found before the subcommand knows its own."""
        ctx.meta[__name__] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; say wrong usage on stdout too, where somebody reads JSON there."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if _wants_json(ctx.meta[__name__]):
                click.echo(json.dumps({"ok": False, "error": error.format_message()}, indent=2, ensure_ascii=False))
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a newcomer's needs."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None when there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name  # `import` cannot be a module's name
        command: click.Command = getattr(import_module(f"cronlift.cli.{module}"), f"{cmd_name}_command")
        return command


def _wants_json(words: Sequence[str]) -> bool:
    return "--json" in words or "--format=json" in words or ("--format", "json") in pairwise(words)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cronlift")
def main() -> None:
    """Move a crontab to Airflow on Kubernetes, and look after what moved."""
