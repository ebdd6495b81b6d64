#!/bin/bash
# Reads as a script of its own, with a linter and an editor; the manifest includes it.
set -euo pipefail
find /srv/weblogs/incoming -name '*.log' -print0 | tar --create --gzip --file /output/month.tar.gz --null --files-from -
ls -l /output
