"""Print the UI's address and login, and open it where there is a browser."""

import argparse
import os
import webbrowser

from ci import release
from ci.stages import exit_with_words


def main() -> None:
    """Print address and login."""
    print(f"UI    {release.URL}\nLogin {release.ADMIN} / {release.password()}")
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(release.URL)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    with exit_with_words():
        main()
