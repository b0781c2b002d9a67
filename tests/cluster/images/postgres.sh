# Makes an empty cluster of databases, and becomes its server.
set -eu
for folder in /usr/lib/postgresql/*/bin; do PATH="$folder:$PATH"; done
initdb --pgdata=/data/db --username=postgres --auth=trust --no-sync --encoding=UTF8 --locale=C >&2
echo 'host all all all trust' >> /data/db/pg_hba.conf
exec postgres -D /data/db -k /tmp -c listen_addresses='*' -c fsync=off
