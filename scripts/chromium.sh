#!/bin/sh
# Makes sure that the browser tests have a Chromium: the machine's, else installed where that is allowed.
set -eu

found() {
    for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" >/dev/null && return 0
    done
    return 1
}

found && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "No Chromium on this machine: installing it with apt-get" >&2
    if apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >&2 && found; then
        exit 0
    fi
fi
cat >&2 <<'END'
The browser tests need Chromium, and it is not on this machine.
Install it (as root: apt-get update && apt-get install -y chromium), or name one with CHROMIUM=/path/to/chromium,
or leave the browser tests out on purpose:  make test BROWSER=0
END
exit 1
