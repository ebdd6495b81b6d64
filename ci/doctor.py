"""Say what this machine lacks for `make up` and how to get it: python -m ci.doctor [--json].

Standard library only, because it runs with whatever python3 a fresh machine has; this file must also parse in old ones.
Exit code 0 when `make up` can work.
"""

import argparse
import json
import sys

MINIMUM_PYTHON = (3, 11)


def main() -> int:
    """Print every finding; return 0 when none is missing, else 1."""
    if sys.version_info < MINIMUM_PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.stderr.write(
            f"x Python {found} is too old: cronlift needs >= 3.11, as Debian 12, Ubuntu 24.04 and Fedora bring it.\n"
            "Install a newer one and say: make PYTHON=python3.12 doctor\n"
        )
        return 1
    parser = argparse.ArgumentParser(prog="make doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON on stdout")
    return report(as_json=parser.parse_args().json)


def report(*, as_json: bool) -> int:
    """Examine the machine and print what was found."""
    from dataclasses import asdict

    from ci.errors import CiError
    from ci.prerequisites import examine, render

    try:
        findings = examine()
    except CiError as error:
        sys.stderr.write(f"x {error}\n")
        return 1
    missing = [finding for finding in findings if finding.verdict == "missing"]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
        return 1 if missing else 0
    print(render(findings, colour=sys.stdout.isatty()))
    if missing:
        print(f"\n{len(missing)} of {len(findings)} prerequisites missing. Next: follow the lines marked ->")
        return 1
    print("\nThis machine is ready. Next: make up")
    return 0


if __name__ == "__main__":
    sys.exit(main())
