#!/bin/sh
# Take stock of a host whose crontabs are to move: one tarball, for `cronlift import` and for fitting the legacy image.
# Runs where the old server is, with what it has: any POSIX shell, no root needed (but without it, not all can be read).
# It reads, and writes nothing but the tarball and a temporary folder. See README.md beside this file.
set -u
umask 077
LC_ALL=C
export LC_ALL

MOST_HISTORY_LINES=200000
MOST_SCRIPT_BYTES=1048576

usage() {
  cat <<'END'
usage: sh inventory.sh [--scripts] [--output FILE]
  --scripts      also copy the scripts that the crontabs name by an absolute path (1 MiB each at most)
  --output FILE  where to write; by default cronlift-inventory-<host>-<date>.tar.gz in this folder
ROOT=dir in the environment takes stock of another host's file system that is mounted there.
The tarball may hold passwords, as crontabs do: it is readable by you alone. Keep it so.
END
}

main() {
  root=${ROOT:-}
  root=${root%/}
  with_scripts=no
  output=
  while [ $# -gt 0 ]; do
    case $1 in
      --scripts) with_scripts=yes ;;
      --output) [ $# -gt 1 ] || { usage >&2; exit 2; }; output=$2; shift ;;
      --output=*) output=${1#*=} ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
  work=$(mktemp -d "${TMPDIR:-/tmp}/cronlift-inventory.XXXXXX") || exit 1
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  top=$work/inventory
  facts=$top/facts
  mkdir -p "$top/root" "$facts"
  : >"$top/files.tsv"
  : >"$top/unread.tsv"

  host=$(host_name)
  users
  copy_tabs
  copy_settings
  what_tabs_name
  if [ "$with_scripts" = yes ]; then copy_scripts; fi
  surroundings
  programs_versions
  history_of_runs
  meta
  pack
}

host_name() {
  name=
  if [ -n "$root" ]; then
    name=$(sed -n 1p "$root/etc/hostname" 2>/dev/null)
  else
    name=$(hostname 2>/dev/null || uname -n)
  fi
  echo "${name:-unknown}"
}

has() { command -v "$1" >/dev/null 2>&1; }

unread() { # path why
  printf '%s\t%s\n' "$1" "$2" >>"$top/unread.tsv"
}

# --- users -----------------------------------------------------------------------------------------------------------

users() {
  for database in passwd group; do
    if [ -z "$root" ] && has getent && getent "$database" >"$work/$database" 2>/dev/null; then
      :
    else
      cat "$root/etc/$database" >"$work/$database" 2>/dev/null || unread "/etc/$database" "cannot be read"
    fi
    awk -F: -v OFS=: 'NF > 2 {$2 = "x"; print}' "$work/$database" >"$facts/$database"
  done
}

name_of() { # database id
  found=$(awk -F: -v id="$2" '$3 == id {print $1; exit}' "$facts/$1")
  echo "${found:-$2}"
}

# --- files -----------------------------------------------------------------------------------------------------------

copy() { # absolute path
  from=$root$1
  [ -e "$from" ] || [ -L "$from" ] || return 0
  case $1 in *"$tab"* | *"$newline"*) unread "$(printf %s "$1" | tr '\t\n' '??')" "its name holds a tab or a line feed"; return 0 ;; esac
  kind='file'
  target=
  if [ -L "$from" ]; then
    kind='link'
    target=$(readlink "$from")
    # A link of a mounted file system means a place in that file system.
    case $root:$target in ?*:/*) from=$root$target ;; esac
  fi
  [ -f "$from" ] || { [ -d "$from" ] || unread "$1" "is no regular file"; return 0; }
  [ -r "$from" ] || { unread "$1" "permission denied"; return 0; }
  mkdir -p "$top/root$(dirname "$1")"
  cat "$from" >"$top/root$1" || { unread "$1" "cannot be read"; return 0; }
  # shellcheck disable=SC2046 # three words on purpose
  set -- "$1" $(stat -L -c '%a %u %g' "$from" 2>/dev/null || echo 0 0 0)
  printf '%04d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' \
    "$2" "$(name_of passwd "$3")" "$(name_of group "$4")" "$3" "$4" "$kind" "$1" "$target" >>"$top/files.tsv"
}

copy_folder() { # absolute path; every file below it
  if [ -d "$root$1" ]; then
    if ! [ -r "$root$1" ] || ! [ -x "$root$1" ]; then
      unread "$1" "permission denied"
      return 0
    fi
    find "$root$1" \( -type f -o -type l \) -print 2>/dev/null >"$work/found"
    find "$root$1" -type d -print 2>/dev/null | while IFS= read -r folder; do
      [ -r "$folder" ] && [ -x "$folder" ] || unread "${folder#"$root"}" "permission denied"
    done
    sort "$work/found" | while IFS= read -r path; do copy "${path#"$root"}"; done
  fi
}

copy_tabs() {
  copy /etc/crontab
  copy /etc/anacrontab
  for folder in /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /var/spool/cron; do
    copy_folder "$folder"
  done
  copy_own_tab
}

# Without root the spool is closed, but everybody may list the own tab.
copy_own_tab() {
  me=$(id -un)
  if [ -n "$root" ] || grep -q "	/var/spool/cron/.*$me	" "$top/files.tsv" || ! has crontab; then return 0; fi
  if crontab -l >"$work/own" 2>/dev/null && [ -s "$work/own" ]; then
    path=/var/spool/cron/crontabs/$me
    mkdir -p "$top/root$(dirname "$path")"
    cp "$work/own" "$top/root$path"
    printf '0600\t%s\t%s\t%s\t%s\tfile\t%s\t\n' "$me" "$(id -gn)" "$(id -u)" "$(id -g)" "$path" >>"$top/files.tsv"
  fi
}

copy_settings() {
  for path in /etc/cron.allow /etc/cron.deny /etc/default/cron /etc/default/anacron /etc/sysconfig/crond \
    /etc/environment /etc/default/locale /etc/locale.conf /etc/sysconfig/i18n /etc/timezone /etc/sysconfig/clock \
    /etc/os-release /etc/debian_version /etc/redhat-release; do
    copy "$path"
  done
}

# --- what the tabs name ----------------------------------------------------------------------------------------------

# The command parts of all tabs: without comments, settings, time fields and the user's column.
commands() {
  awk -F '\t' '{print $7}' "$top/files.tsv" | while IFS= read -r path; do
    case $path in
      /etc/crontab | /etc/cron.d/*) fields=6 ;;
      /var/spool/cron/*) fields=5 ;;
      /etc/anacrontab) fields=3 ;;
      *) continue ;;
    esac
    awk -v fields="$fields" '
      /^[ \t]*(#|$)/ || /^[ \t]*["\047]?[A-Za-z_][A-Za-z0-9_]*["\047]?[ \t]*=/ {next}
      {
        count = /^[ \t]*-?@/ ? fields - 4 : fields
        sub(/^[ \t]+/, "")
        for (i = 0; i < count; i++) sub(/^[^ \t]+[ \t]+/, "")
        print
      }' "$top/root$path"
  done
}

what_tabs_name() {
  commands >"$work/commands"
  sed 's/[;|&()`"]/\n/g' <"$work/commands" |
    awk '{
      for (i = 1; i <= NF; i++) {
        if ($i ~ /^[A-Za-z_][A-Za-z0-9_]*=/ || $i ~ /^([{}!]|if|then|else|elif|do|while|until|exec|time|nice|nohup)$/) continue
        print $i; break
      }
    }' | grep -E '^[A-Za-z0-9_./+-]+$' | grep -E '[A-Za-z]' | sort -u >"$work/words"
  while IFS= read -r word; do
    printf '%s\t%s\n' "$word" "$(program_path "$word")"
  done <"$work/words" >"$facts/programs.tsv"
  grep -oE '(^|[^A-Za-z0-9_:/.-])/[A-Za-z0-9._+@-][A-Za-z0-9._/+@-]*' "$work/commands" |
    sed -e 's/^[^/]//' -e 's,[/.]*$,,' | grep . | sort -u >"$work/paths"
  while IFS= read -r path; do describe_path "$path"; done <"$work/paths" >"$facts/paths.tsv"
}

program_path() { # word
  case $1 in
    /*) [ -e "$root$1" ] && echo "$1" ;;
    */*) ;;
    *)
      if [ -z "$root" ]; then
        found=$(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin command -v "$1" 2>/dev/null)
        echo "$found"
        return
      fi
      for folder in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
        if [ -e "$root$folder/$1" ]; then echo "$folder/$1"; return; fi
      done
      ;;
  esac
}

describe_path() { # absolute path
  at=$root$1
  if [ -L "$at" ]; then kind='link'
  elif [ -d "$at" ]; then kind=folder
  elif [ -f "$at" ]; then kind='file'
  elif [ -e "$at" ]; then kind=other
  else
    printf '\t\t\tmissing\t%s\n' "$1"
    return
  fi
  # shellcheck disable=SC2046 # three words on purpose
  set -- "$1" $(stat -L -c '%a %u %g' "$at" 2>/dev/null || echo 0 0 0)
  printf '%04d\t%s\t%s\t%s\t%s\n' "$2" "$(name_of passwd "$3")" "$(name_of group "$4")" "$kind" "$1"
}

copy_scripts() {
  while IFS= read -r path; do
    case $path in
      /bin/* | /sbin/* | /usr/bin/* | /usr/sbin/* | /lib/* | /usr/lib/* | /dev/* | /proc/* | /sys/* | /run/*) continue ;;
    esac
    [ -f "$root$path" ] || continue
    if [ "$(wc -c <"$root$path" 2>/dev/null || echo 0)" -gt "$MOST_SCRIPT_BYTES" ]; then
      unread "$path" "larger than $MOST_SCRIPT_BYTES bytes"
    else
      copy "$path"
    fi
  done <"$work/paths"
}

# --- surroundings ----------------------------------------------------------------------------------------------------

surroundings() {
  zone=$(sed -n 1p "$root/etc/timezone" 2>/dev/null)
  if [ -z "$zone" ]; then
    zone=$(readlink "$root/etc/localtime" 2>/dev/null | sed -n 's,^.*/zoneinfo/,,p')
  fi
  if [ -z "$zone" ]; then
    zone=$(sed -n 's/^ZONE="*\([^"]*\)"*$/\1/p' "$root/etc/sysconfig/clock" 2>/dev/null)
  fi
  if [ -n "$zone" ]; then echo "$zone" >"$facts/timezone"; else unread "timezone" "neither /etc/timezone nor /etc/localtime says it"; fi
  for path in /etc/default/locale /etc/locale.conf /etc/sysconfig/i18n; do
    grep -E '^[[:space:]]*(LANG|LANGUAGE|LC_[A-Z]+)=' "$root$path" 2>/dev/null
  done >"$facts/locale"
  [ -n "$root" ] || { locale -a >"$facts/locales" 2>/dev/null; uname -a >"$facts/os"; }
  packages >"$facts/packages.tsv" 2>/dev/null
  [ -s "$facts/packages.tsv" ] || unread "packages" "no dpkg, rpm, pacman or apk answered"
}

packages() {
  if [ -f "$root/var/lib/dpkg/status" ]; then
    awk '
      /^Package: / {package = $2; installed = 0}
      /^Status: .* installed$/ {installed = 1}
      /^Architecture: / {architecture = $2}
      /^Version: / && installed {print package "\t" $2 "\t" architecture}' "$root/var/lib/dpkg/status"
  elif has rpm; then
    rpm ${root:+--root "$root"} -qa --qf '%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n' | sort
  elif has pacman; then
    pacman ${root:+--root "$root"} -Q | awk '{print $1 "\t" $2 "\t"}'
  elif has apk; then
    apk ${root:+--root "$root"} info -v | sed 's/-\([0-9][^-]*-r[0-9]*\)$/\t\1\t/'
  fi
}

programs_versions() {
  [ -z "$root" ] || return 0
  if has php; then
    php -v >"$facts/php" 2>&1 </dev/null
    php -m >"$facts/php-modules" 2>&1 </dev/null
  fi
  if has java; then java -version >"$facts/java" 2>&1 </dev/null; fi
  for program in python python3 perl ruby node mysql psql; do
    if has "$program"; then printf '%s\t%s\n' "$program" "$("$program" --version 2>&1 </dev/null | grep . | sed -n 1p)"; fi
  done >"$facts/versions.tsv"
  if has systemctl; then systemctl list-timers --all --no-pager >"$facts/timers" 2>/dev/null </dev/null; fi
}

# What the daemon started, as it wrote it to syslog or to the journal; for `cronlift replay`.
history_of_runs() {
  {
    # shellcheck disable=SC2012 # the files of a log folder have plain names; the order of time is what is wanted
    ls -tr "$root"/var/log/syslog* "$root"/var/log/cron* "$root"/var/log/messages* 2>/dev/null |
      while IFS= read -r log; do
        [ -f "$log" ] || continue
        [ -r "$log" ] || { unread "${log#"$root"}" "permission denied"; continue; }
        case $log in
          *.gz) gzip -dc "$log" ;;
          *.xz) xz -dc "$log" ;;
          *.bz2) bzip2 -dc "$log" ;;
          *) cat "$log" ;;
        esac 2>/dev/null | grep -aE 'CROND?(\[[0-9]+\])?: .*\) CMD '
      done
  } | tail -n "$MOST_HISTORY_LINES" >"$facts/history.log"
  if ! [ -s "$facts/history.log" ] && [ -z "$root" ] && has journalctl; then
    journalctl -q --no-pager -o short-iso -t CRON -t CROND -t cron -t crond 2>/dev/null </dev/null |
      grep -aE '\) CMD ' | tail -n "$MOST_HISTORY_LINES" >"$facts/history.log"
  fi
  [ -s "$facts/history.log" ] || unread "history" "no CMD lines in /var/log/{syslog,cron,messages}* or in the journal"
}

flavour() {
  if [ -e "$root/etc/debian_version" ]; then echo debian
  elif [ -e "$root/etc/redhat-release" ] || [ -e "$root/etc/sysconfig/crond" ] || [ -e "$root/etc/arch-release" ]; then echo cronie
  else echo unknown
  fi
}

meta() {
  {
    echo "format=1"
    echo "host=${host%%.*}"
    echo "fqdn=$host"
    echo "date=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    echo "uid=$(id -u)"
    if [ "$(id -u)" = 0 ]; then echo "root=yes"; else echo "root=no"; fi
    echo "flavour=$(flavour)"
  } >"$top/meta"
}

pack() {
  output=${output:-cronlift-inventory-${host%%.*}-$(date -u +%Y%m%d).tar.gz}
  if [ -e "$output" ]; then
    echo "inventory: $output is there already; it is not overwritten. Move it away, or use --output" >&2
    exit 1
  fi
  # Made under this umask, so that nobody else can read it at any moment.
  if ! tar -C "$work" -cf - inventory | gzip -c >"$output"; then
    echo "inventory: $output cannot be written" >&2
    rm -f "$output"
    exit 1
  fi
  chmod 600 "$output"
  if [ -s "$top/unread.tsv" ]; then
    echo "Not read:" >&2
    sed 's/^/  /' "$top/unread.tsv" >&2
    [ "$(id -u)" = 0 ] || echo "As root more can be read." >&2
  fi
  echo "$(grep -c . "$top/files.tsv") files, $(grep -c . "$facts/history.log") runs of the past: $output" >&2
  echo "Next, where the repo is: cronlift import $output --timezone $(cat "$facts/timezone" 2>/dev/null || echo ZONE) --team TEAM" >&2
}

tab=$(printf '\t')
newline='
'
main "$@"
