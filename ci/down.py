"""Remove the local platform from this machine: git server, cluster, state; the cache of built things stays."""

import argparse
import shutil

from ci.cluster import choose
from ci.paths import STATE
from ci.stages import Stage, exit_with_words
from ci.up import GIT_SERVER


def main() -> None:
    """End what `make up` started; does nothing when nothing is there."""
    choose().down()
    with Stage("Stop the git server"):
        GIT_SERVER.stop()
    shutil.rmtree(STATE, ignore_errors=True)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    with exit_with_words():
        main()
