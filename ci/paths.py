"""Where things lie: the repo, the local platform's state, the user's cache."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("CRONLIFT_STATE") or ROOT / ".cronlift").resolve()
"""Everything that belongs to this clone's running platform; ignored by git, removed by `make reset`.

`$CRONLIFT_STATE` moves it, for the tests of the cluster's life and death.
"""

LOGS = STATE / "logs"
KUBECONFIG = STATE / "kubeconfig"


def cache_dir() -> Path:
    """Return the folder, shared by all clones of this user, for what is expensive to build.

    Returns:
        `$CRONLIFT_CACHE`, else `$XDG_CACHE_HOME/cronlift`, else `~/.cache/cronlift`; it may not exist yet.
    """
    if explicit := os.environ.get("CRONLIFT_CACHE"):
        return Path(explicit).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "cronlift"
