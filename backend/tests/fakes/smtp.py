"""A mail server on a loopback port that speaks as much SMTP (RFC 5321) as a client needs, and keeps what it gets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage


class MailServer:
    """Set `refusal` to have every message refused with that line."""

    def __init__(self) -> None:
        self.port = 0
        self.refusal: str | None = None
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            writer.write((await self._answer(line.decode().strip(), reader, writer)).encode() + b"\r\n")
            await writer.drain()
            if line.upper().startswith(b"QUIT"):
                break
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        command = line.upper()
        if command.startswith("RCPT TO:"):
            self.recipients.append(line[8:].strip("<> "))
        if not command.startswith("DATA"):
            return "221 bye" if command.startswith("QUIT") else "250 ok"
        if self.refusal is not None:
            return self.refusal
        writer.write(b"354 go on\r\n")
        content = await reader.readuntil(b"\r\n.\r\n")
        parsed = message_from_bytes(content[:-5], policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.messages.append(parsed)
        return "250 kept"


@contextlib.asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    made = MailServer()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
