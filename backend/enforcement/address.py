"""Where a request comes from."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from backend.core.settings import Network

Address = IPv4Address | IPv6Address
_UNKNOWN = IPv4Address("0.0.0.0")  # noqa: S104 - a peer without an address (a Unix socket), not an address to listen on


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> Address:
    """The peer; behind a trusted proxy, the last address in `X-Forwarded-For` that no trusted proxy has.

    `forwarded` are the values of that header in order. What an untrusted peer claims has no effect.
    """
    address = _parse(peer or "") or _UNKNOWN
    claims = [part.strip() for value in forwarded for part in value.split(",")]
    while claims and is_in(address, trusted):
        claimed = _parse(claims.pop())
        if claimed is None:
            break
        address = claimed
    return address


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks has the address."""
    return any(address in network for network in networks)


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
