"""How it ends and begins again; those that come after find it begun again, with its data."""

import socket
from concurrent.futures import ThreadPoolExecutor

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


@pytest.mark.alone
def test_of_two_starts_at_once_one_goes_on_and_its_calls_work(product: Product) -> None:
    product.stop()
    other = Product(product.home)
    with ThreadPoolExecutor(2) as pool:
        starts = {one: pool.submit(one.start) for one in (product, other)}
    refused = [one for one, start in starts.items() if start.exception() is not None]
    assert len(refused) == 1
    assert "Nothing was started" in refused[0].output
    assert "Error:" not in refused[0].output.replace("make: ", "")
    winner = other if refused[0] is product else product
    assert '"message"' in winner.shell(winner.banner("A metered call")).stdout
    if winner is other:
        other.stop()
        product.start()
