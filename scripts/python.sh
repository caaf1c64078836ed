#!/bin/sh
# Prints the Python that the virtual environment is made with: 3.11 or newer, with venv and ensurepip.
set -eu

say() {
    printf '%s\n' "$@" >&2
    exit 1
}

for candidate in "${PYTHON:-python3}" python3.11 python3.12 python3.13 python3.14 /usr/bin/python3; do
    found=$(command -v "$candidate") || continue
    "$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    if "$found" -c 'import ensurepip, venv' 2>/dev/null; then
        printf '%s\n' "$found"
        exit 0
    fi
    without_venv=$found
done

if [ -n "${without_venv:-}" ]; then
    say "$without_venv cannot make virtual environments: this Python comes without venv and ensurepip." \
        "Install them and run make again:  apt-get update && apt-get install -y python3-venv"
fi
say "Python 3.11 or newer is needed, and none was found." \
    "Install it and run make again:  apt-get update && apt-get install -y python3 python3-venv" \
    "or name one:  make PYTHON=/path/to/python3"
