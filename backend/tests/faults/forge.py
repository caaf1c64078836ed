"""Forks servers: `python -m backend.tests.faults.forge PORT` has imported everything; each line it reads begins one.

Importing takes seconds and forking none, so a server can be killed often. Nothing of one life is in the next: this
process never runs the application, it only has its code. Answers with the process id, which is the leader of a
session of its own.
"""

import os
import signal
import sys

import backend.app
import backend.cli.serve  # noqa: F401 - for the servers, which then need not
from backend.cli.main import commands


def main() -> None:
    """Until its standard input ends."""
    port = sys.argv[1]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that end leave nothing behind
    for _ in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            os.setsid()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(2, 1)
            sys.argv = ["feature", "serve", "--host", "127.0.0.1", "--port", port]
            commands("serve")()
        print(child, flush=True)


if __name__ == "__main__":
    main()
