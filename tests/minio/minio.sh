#!/usr/bin/env bash
# A real object store for the tests: MinIO, built once from its source by Go, and served for as long as a test needs it.
#
#     minio.sh install          builds the server unless it is there, and prints the path of the program
#     minio.sh serve FOLDER     serves FOLDER/data at a free port of this machine, prints the address when it is ready, and
#                               lives as long as its standard input; then FOLDER is removed, which must be new or empty
#
# MINIO_ROOT_USER and MINIO_ROOT_PASSWORD are the credentials. A bucket is a folder in FOLDER/data.
set -euo pipefail

version=v0.0.0-20260212201848-7aac2a2c5b7c
home="${KARAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/karat}/minio/$version"
program="$home/minio"

fail() {
    printf 'minio.sh: %s\n' "$*" >&2
    exit 1
}

install() {
    if [[ ! -x "$program" ]]; then
        command -v go >/dev/null || fail 'MinIO is built by Go, and there is no command go'
        mkdir -p "$home"
        # Several may want the server at the same time: one builds, the others wait, and the name appears with the whole program.
        (
            flock 9
            if [[ ! -x "$program" ]]; then
                printf 'minio.sh: MinIO is built, which takes some minutes\n' >&2
                building="$(mktemp -d "$home/building.XXXXXX")"
                trap 'rm -rf "$building"' EXIT
                GOBIN="$building" CGO_ENABLED=0 nice go install "github.com/minio/minio@$version" >&2
                mv "$building/minio" "$program"
            fi
        ) 9>"$home/lock"
    fi
    printf '%s\n' "$program"
}

# Whether the server at this port says that it is ready.
is_ready() {
    local answer=''
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'GET /minio/health/ready HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$1" >&3
    read -r answer <&3 || true
    exec 3>&-
    [[ "$answer" == 'HTTP/1.1 200'* ]]
}

serve() {
    folder="$1"
    mkdir -p "$folder"
    [[ -z "$(ls -A "$folder")" ]] || fail "$folder is not empty"
    install >/dev/null
    server=''
    trap 'if [[ -n "$server" ]]; then kill -9 "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi; rm -rf "$folder"' EXIT
    trap 'exit 1' INT TERM HUP
    mkdir "$folder/data" "$folder/home"
    : >"$folder/log"
    # Nothing of the user's own settings or certificates; the server finds a free port by itself.
    env -i PATH="$PATH" HOME="$folder/home" MINIO_BROWSER=off MINIO_UPDATE=off \
        MINIO_ROOT_USER="${MINIO_ROOT_USER:?}" MINIO_ROOT_PASSWORD="${MINIO_ROOT_PASSWORD:?}" \
        "$program" server --address 127.0.0.1:0 "$folder/data" >"$folder/log" 2>&1 </dev/null &
    server=$!
    local port='' tries=0
    until port="$(sed -n 's|^API: http://127\.0\.0\.1:\([0-9]*\).*|\1|p' "$folder/log")" && [[ -n "$port" ]] && is_ready "$port"; do
        kill -0 "$server" 2>/dev/null || fail "MinIO does not start: $(cat "$folder/log")"
        ((++tries <= 600)) || fail "MinIO is not ready after a minute: $(cat "$folder/log")"
        sleep 0.1
    done
    printf 'http://127.0.0.1:%s\n' "$port"
    # A test program that ends, in whatever way, closes this pipe.
    cat >/dev/null
}

case "${1-}" in
    install) install ;;
    serve) serve "${2:?serve needs a folder}" ;;
    *) fail 'install, or serve FOLDER' ;;
esac
