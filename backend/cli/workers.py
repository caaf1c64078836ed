"""Several serving processes: uvicorn's own supervision, with two differences.

They are forked from a process that has imported the application and done nothing else, so that one which died is
replaced in a tenth of a second instead of seconds, and all share the memory of the code. And a process that starts is
given time: uvicorn ends one that does not answer its health check within seconds, again and again where the machine
is busy or small.
"""

import multiprocessing
import socket
import time

from uvicorn import Config
from uvicorn._subprocess import subprocess_started
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process, logger

# Seconds that a process may take until it first answers.
STARTING = 60.0

_FORKED = multiprocessing.get_context("forkserver")
# The application; and the command that serves it, which a process imports again before it does anything.
_PRELOADED = ["backend.app", "backend.cli.main", "backend.cli.serve"]


class Workers(Multiprocess):
    """Checks on processes as Multiprocess does, once they have answered for the first time."""

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._starting: dict[Process, float] = {}
        self._started: set[Process] = set()
        _FORKED.set_forkserver_preload(_PRELOADED)

    def init_processes(self) -> None:
        """Starts all."""
        self.processes = [self._start() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Replaces processes that have died or hang. Never waits for one that starts."""
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if self._is_well(process):
                continue
            process.kill()
            process.join()
            self._starting.pop(process, None)
            self._started.discard(process)
            if process.exitcode == STARTUP_FAILURE:
                logger.error("Child process [%s] failed to start, stopping the parent process.", process.pid)
                self.should_exit.set()
                return
            logger.info("Child process [%s] died", process.pid)
            self.processes[index] = self._start()

    def _start(self) -> Process:
        process = Process(self.config, self.sockets)
        process.process = _FORKED.Process(  # type: ignore[assignment]  # it is used as any process is
            target=subprocess_started,
            kwargs={
                "config": self.config,
                "target": process.target,
                "sockets": self.sockets,
                "stdin_fileno": None,
            },
        )
        process.start()
        return process

    def _is_well(self, process: Process) -> bool:
        if process in self._started:
            return process.is_alive(timeout=self.config.timeout_worker_healthcheck)
        if not process.process.is_alive():
            return False
        if process not in self._starting:
            self._starting[process] = time.monotonic()
            process.parent_conn.send(b"ping")
        if process.parent_conn.poll():
            process.parent_conn.recv()
            del self._starting[process]
            self._started.add(process)
            return True
        return time.monotonic() - self._starting[process] < STARTING
