"""How it ends and begins again; those that come after find it begun again, with its data."""

import socket

import pytest

from backend.tests.e2e.product import Product


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.alone
def test_ctrl_c_stops_everything_and_a_second_start_is_quick_and_finds_the_data(product: Product) -> None:
    print(f"first start: {product.seconds:.1f} s")
    product.stop()
    assert not _answers(8000)
    assert not _answers(5173)
    product.start()
    print(f"second start: {product.seconds:.1f} s")
    assert product.seconds < 15, "ready in 5 s on an idle machine; a loaded one has three times as long"
    assert "nothing to change" in product.output
    product.feature("user", "create", "again@example.com", stdin="a password of many words\n")
