"""`python -m backend.worker` as it is started: it works, takes up what others left, and stops when it is asked to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from backend.core.settings import REPOSITORY
from backend.db.session import Database
from backend.jobs.queue import enqueue
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import person
from backend.tests.moments import NOW

WAIT_SECONDS = 20.0


class Worker:
    """A worker process, and a connection to look at what it does."""

    def __init__(self, url: str, log: Path) -> None:
        self.log = log
        self._output = log.open("w")
        environment = {**os.environ, "DATABASE_URL": url}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend.worker"], cwd=REPOSITORY, env=environment, stderr=self._output
        )
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("SET feature.scope = 'system'")

    def scalar(self, query: str) -> Any:
        row = self.connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    def until(self, done: Callable[[], bool]) -> None:
        limit = time.monotonic() + WAIT_SECONDS
        while not done():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < limit, self.log.read_text()
            time.sleep(0.05)

    def stop(self, number: signal.Signals) -> tuple[int, float]:
        """Exit code, and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(WAIT_SECONDS), time.monotonic() - began

    def close(self) -> None:
        self.connection.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._output.close()


@pytest.fixture
def worker_process(database_url: str, tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(database_url, tmp_path / "worker.log")
    yield worker
    worker.close()


async def add_old_attempt_and_job(database: Database, *, left_by_a_dead_worker: bool = False) -> None:
    """Something to forget, and the job that forgets it."""
    async with database.system() as session:
        await session.execute(
            text(
                "INSERT INTO sign_in_attempts (id, subject, attempted_at)"
                " VALUES (gen_random_uuid(), 'login:x', now() - interval '2 days')"
            )
        )
        await enqueue(session, "jobs:forget_old", timestamp=0)
        if left_by_a_dead_worker:
            await session.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL"))


async def test_it_delivers_jobs_sweeps_and_stops_at_once(database: Database, worker_process: Worker) -> None:
    async with database.system() as session:
        someone = await person(session)
        await upgrade_user_plan(session, someone.user_id, "pro", 30, now=NOW.replace(year=2024))
        await session.execute(
            text("INSERT INTO rate_limit_states (key, tat, updated_at) VALUES ('x', 0, now() - interval '2 hours')")
        )
        await enqueue(session, "ratelimit:prune", timestamp=0)
    await add_old_attempt_and_job(database)
    worker_process.until(lambda: worker_process.scalar("SELECT count(*) FROM sign_in_attempts") == 0)
    worker_process.until(lambda: worker_process.scalar("SELECT count(*) FROM rate_limit_states") == 0)
    worker_process.until(lambda: worker_process.scalar("SELECT status FROM user_subscriptions") == "expired")
    delivered = "SELECT count(*) FROM outgoing_mails WHERE delivery = 'mailbox'"
    worker_process.until(lambda: worker_process.scalar(delivered) == 1)
    worker_process.until(lambda: worker_process.scalar("SELECT count(*) FROM procrastinate_jobs") == 0)
    code, seconds = worker_process.stop(signal.SIGTERM)
    assert code == 0
    assert seconds < 5
    assert worker_process.scalar("SELECT count(*) FROM procrastinate_workers") == 0


async def test_it_outlives_its_connections_and_stops_on_ctrl_c(database: Database, worker_process: Worker) -> None:
    worker_process.until(lambda: worker_process.scalar("SELECT count(*) FROM procrastinate_workers") == 1)
    worker_process.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    await add_old_attempt_and_job(database)
    worker_process.until(lambda: worker_process.scalar("SELECT count(*) FROM sign_in_attempts") == 0)
    code, seconds = worker_process.stop(signal.SIGINT)
    assert code == 0
    assert seconds < 5


async def test_a_job_whose_worker_was_killed_is_taken_up(database: Database, worker_process: Worker) -> None:
    await add_old_attempt_and_job(database, left_by_a_dead_worker=True)
    async with database.system() as session:
        await enqueue(session, "jobs:retry_stalled", timestamp=0)
    worker_process.until(lambda: worker_process.scalar("SELECT count(*) FROM sign_in_attempts") == 0)


def test_it_refuses_to_run_in_production_on_defaults(database_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "backend.worker"],
        cwd=REPOSITORY,
        env={**os.environ, "DATABASE_URL": database_url, "ENVIRONMENT": "production"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "JWT_JWK_CURRENT" in done.stderr
