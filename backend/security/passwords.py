"""Passwords: argon2id, a few at a time, in threads of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from itertools import pairwise
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

from backend.core.errors import Unavailable
from backend.core.settings import Settings
from backend.security.errors import PasswordRefused

MIN_LENGTH, MAX_LENGTH = 12, 128
_COMMON = frozenset(
    line.strip() for line in files("backend.security").joinpath("common_passwords.txt").read_text().splitlines()
)
# What a finger follows: the alphabet, the digits, and the rows of keyboards.
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "12345678901",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
)
_NEIGHBOURS = frozenset(pair for row in _ROWS for way in (row, row[::-1]) for pair in pairwise(way))
_LONGEST_WALK = 20
_MOST_JUMPS = 2
_MOST_WAITING = 64

T = TypeVar("T")


class Passwords:
    """Hashes and verifies. A hash takes 64 MiB and a tenth of a second, so only `workers` run at once."""

    def __init__(self, *, time_cost: int, memory_kib: int, parallelism: int, workers: int) -> None:
        self._argon2 = Argon2Hasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism)
        self._hasher = PasswordHash((self._argon2,))
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="argon2")
        self._waiting = 0
        # Verified for an unknown address, so that the answer takes as long as for a known one.
        self._nobody = self._hasher.hash("the password of nobody")

    @classmethod
    def from_settings(cls, settings: Settings) -> "Passwords":
        return cls(
            time_cost=settings.argon2_time_cost,
            memory_kib=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
            workers=settings.argon2_workers,
        )

    async def hash(self, password: str) -> str:
        """The hash to store. Raises Unavailable when too many are waiting."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether it is the password; without a stored hash False, in the same time. Raises Unavailable."""

        def work() -> bool:
            try:
                matches = self._hasher.verify(password, stored or self._nobody)
            except PwdlibError:
                return False
            return matches and bool(stored)

        return await self._run(work)

    async def renewed(self, password: str, stored: str | None) -> str | None:
        """A new hash of a password that was just verified, where the stored one was made with other settings."""
        if stored is None or not self._argon2.check_needs_rehash(stored):
            return None
        return await self.hash(password)

    def close(self) -> None:
        """Waits for what runs."""
        self._pool.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("Too many sign-ins at this moment. Try again shortly.", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def ensure_acceptable(password: str, *, email: str) -> None:
    """Raises PasswordRefused. Any characters will do; only length and the best-known passwords count."""
    if "\0" in password or any("\ud800" <= character <= "\udfff" for character in password):
        raise PasswordRefused("The password contains something that is no character: U+0000 or half a surrogate pair.")
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise PasswordRefused(
            f"The password has {len(password)} characters; choose {MIN_LENGTH} to {MAX_LENGTH}, of any kind."
        )
    plain = password.casefold()
    if plain == email.casefold():
        raise PasswordRefused("The password is the address itself, which is tried first. Choose another.")
    if plain in _COMMON or _is_walk(plain):
        raise PasswordRefused("This password is among the first that anybody tries. Choose another.")


def _is_walk(plain: str) -> bool:
    """Whether it is of one or two keys, or follows the alphabet, the digits or rows of a keyboard with hardly a jump,
    and is no longer than such passwords are."""
    if len(plain) > _LONGEST_WALK or not plain.isascii():
        return False
    jumps = sum(one != two and (one, two) not in _NEIGHBOURS for one, two in pairwise(plain))
    return len(set(plain)) <= 2 or jumps <= _MOST_JUMPS
