"""The choice of a language in processes of their own: what it holds, and what cold caches do."""

import subprocess
import sys

_FLOOD = """
import tracemalloc
from chatkit_prod.locale import Negotiator

negotiator = Negotiator(["en", "fr", "de-AT", "zh-Hant", "zh-Hans", "pt-BR", "he", "nb"])
tracemalloc.start()
for number in range(100_000):
    negotiator.negotiate(f"{'!' if number % 10 else 'en-x-'}{number}" + " " * 400)
print(tracemalloc.get_traced_memory()[0])
"""


def test_a_hundred_thousand_headers_take_less_than_two_megabytes() -> None:
    ran = subprocess.run([sys.executable, "-c", _FLOOD], check=True, timeout=120, capture_output=True)
    assert int(ran.stdout) < 2_000_000


_COLD = """
import threading
from chatkit_prod.locale import Negotiator

SUPPORTED = ["en", "fr", "de-AT", "zh-Hant", "zh-Hans", "pt-BR", "he", "nb", "sr-Latn", "es-419", "es"]
HEADERS = [f"{one}-{two}, {two}" for one in ("de", "zh", "es", "xx", "sr", "nn") for two in ("AT", "HK", "ME", "MX")]
start, found, failed = threading.Barrier(8), [], []

def run():
    start.wait()
    try:
        negotiator = Negotiator(SUPPORTED)
        for number in range(7500):
            header = HEADERS[number % len(HEADERS)] + f";q=0.{number % 100}"
            found.append((header, negotiator._choose(header)))
    except Exception as error:
        failed.append(error)

threads = [threading.Thread(target=run) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failed, failed
assert len(found) == 60_000
assert len(set(found)) == len({header for header, _ in found}), "two answers for one header"
"""


def test_eight_threads_with_cold_caches_agree() -> None:
    subprocess.run([sys.executable, "-c", _COLD], check=True, timeout=120)
