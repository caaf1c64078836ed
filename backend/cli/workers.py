"""Several serving processes: uvicorn's own supervision, with time for a process to start.

uvicorn ends a process that does not answer its health check within seconds. One that starts cannot answer: it has
everything to import first, which on a busy or small machine takes longer than that, again and again.
"""

import socket
import time

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process, logger

# Seconds that a process may take until it first answers.
STARTING = 60.0


class Workers(Multiprocess):
    """Checks on processes as Multiprocess does, once they have answered for the first time."""

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._starting: dict[Process, float] = {}
        self._started: set[Process] = set()

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
            self.processes[index] = Process(self.config, self.sockets)
            self.processes[index].start()

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
