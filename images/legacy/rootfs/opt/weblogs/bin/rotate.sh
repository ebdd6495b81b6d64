#!/bin/bash
# rotate.sh daily|all: compress web logs into the archive, with checksums, and print one line a log for the report:
#   site, day, requests, bytes served, answers of 500 and above; separated by tabs.
# "daily" takes the logs of the newest day only.
set -euo pipefail

incoming=/srv/weblogs/incoming
archive=/srv/weblogs/archive
what=${1:-daily}

case $what in
  daily) newest=$(find "$incoming" -name '*.log' -printf '%f\n' | grep -oE '[0-9]{4}-[0-9]{2}-[0-9]{2}' | sort | tail -n 1)
         pattern="*-$newest.log" ;;
  all)   pattern='*.log' ;;
  *)     echo "usage: rotate.sh daily|all (got '$what')" >&2; exit 2 ;;
esac

mapfile -t logs < <(find "$incoming" -name "$pattern" | sort)
if (( ${#logs[@]} == 0 )); then
  echo "no log matches $pattern in $incoming" >&2
  exit 1
fi

for log in "${logs[@]}"; do
  name=$(basename "$log" .log)
  site=${name%-????-??-??}
  day=${name#"$site"-}
  folder=$archive/$site/${day%-*}
  mkdir -p "$folder"
  gzip -9 --no-name --stdout "$log" > "$folder/$name.log.gz.new"
  zcat "$folder/$name.log.gz.new" | cmp -s - "$log" || { echo "$name: the archive differs from the log" >&2; exit 1; }
  mv "$folder/$name.log.gz.new" "$folder/$name.log.gz"
  (cd "$archive" && sha256sum "$site/${day%-*}/$name.log.gz") >> "$archive/SHA256SUMS"
  awk -v site="$site" -v day="$day" '
    match($0, /" [0-9][0-9][0-9] ([0-9]+|-)$/) {
      split(substr($0, RSTART + 2), answer, " ")
      requests++
      bytes += answer[2]
      if (answer[1] >= 500) failures++
      next
    }
    { print FILENAME ":" FNR ": not a request: " $0 > "/dev/stderr" }
    END { printf "%s\t%s\t%d\t%d\t%d\n", site, day, requests, bytes, failures }
  ' "$log"
done
sort -u -k 2 -o "$archive/SHA256SUMS" "$archive/SHA256SUMS"
(cd "$archive" && sha256sum --quiet --check SHA256SUMS) >&2
