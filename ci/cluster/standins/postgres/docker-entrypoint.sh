#!/bin/bash
# Make the database on the first start, then become the server.
set -euo pipefail

# read_setting NAME [DEFAULT]: take NAME from itself or from the file that NAME_FILE names.
read_setting() {
  local name=$1 file_name="$1_FILE" default=${2-}
  if [[ -n ${!name-} && -n ${!file_name-} ]]; then
    echo "error: both $name and $file_name are set; give one" >&2
    exit 1
  fi
  if [[ -n ${!file_name-} ]]; then
    printf -v "$name" '%s' "$(<"${!file_name}")"
  else
    printf -v "$name" '%s' "${!name-$default}"
  fi
  unset "$file_name"
}

initialise() {
  local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  if [[ -z $POSTGRES_PASSWORD && $method != trust ]]; then
    echo "error: the database is not made yet and POSTGRES_PASSWORD is empty; set it, or POSTGRES_PASSWORD_FILE" >&2
    exit 1
  fi
  # shellcheck disable=SC2086 # several arguments in one variable, as upstream takes them
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") $POSTGRES_INITDB_ARGS
  printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
  if [[ $POSTGRES_DB != postgres ]]; then
    pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses='' -p 5432" --wait start
    PGPASSWORD=$POSTGRES_PASSWORD psql --username="$POSTGRES_USER" --dbname=postgres --no-password --no-psqlrc \
      --set=ON_ERROR_STOP=1 --set=db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
    pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
  fi
  echo "PostgreSQL init process complete; ready for start up."
}

# An option as the first word belongs to the server.
if [[ ${1-} == -* ]]; then
  set -- postgres "$@"
fi

if [[ ${1-} == postgres ]]; then
  if [[ $(id -u) == 0 ]]; then
    install -d -o 999 -g 999 -m 0700 "$PGDATA"
    find "$PGDATA" ! -user 999 -exec chown 999:999 {} +
    exec setpriv --reuid=999 --regid=999 --clear-groups -- "$0" "$@"
  fi
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA" 2>/dev/null || true # refused on a volume of another owner with fsGroup, where it is right already
  if [[ ! -s $PGDATA/PG_VERSION ]]; then
    read_setting POSTGRES_PASSWORD
    read_setting POSTGRES_USER postgres
    read_setting POSTGRES_DB "$POSTGRES_USER"
    read_setting POSTGRES_INITDB_ARGS
    initialise
  fi
  unset POSTGRES_PASSWORD POSTGRES_PASSWORD_FILE PGPASSWORD
fi
exec "$@"
