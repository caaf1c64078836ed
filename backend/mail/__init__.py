"""Outgoing mail: a row and a job in the transaction that wants it sent."""

from backend.mail.message import Link
from backend.mail.service import send

__all__ = ["Link", "send"]
