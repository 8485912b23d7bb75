"""Reading a document of somebody who may be slow, broken or hostile."""

from collections.abc import AsyncGenerator

import httpx2
import pytest
from starlette.responses import Response

from chatkit_prod.asgi import ASGIApp
from chatkit_prod.auth.fetch import MAX_BYTES, FetchError, fetch, tls_context
from tests.auth.issuer import LIMIT, Issuer, cut_off, endless, redirect, status, trickle, zipped

pytestmark = pytest.mark.anyio

DOCUMENT = b'{"secret": "plugh"}'


@pytest.fixture
async def issuer() -> AsyncGenerator[Issuer]:
    async with Issuer.serve() as issuer:
        issuer.documents["/document"] = DOCUMENT
        yield issuer


async def read(issuer: Issuer, path: str = "/document", timeout_seconds: float = LIMIT) -> bytes | None:
    return await fetch(issuer.base + path, timeout_seconds=timeout_seconds)


async def test_what_is_there_is_returned(issuer: Issuer) -> None:
    assert await read(issuer) == DOCUMENT


@pytest.mark.parametrize("code", [403, 404, 410])
async def test_what_is_not_there_is_none(issuer: Issuer, code: int) -> None:
    issuer.faults["/document"] = status(code)
    assert await read(issuer) is None


@pytest.mark.parametrize("code", [201, 204, 206, 300, 304, 400, 401, 429, 500, 503])
async def test_any_other_status_is_an_error_that_names_it(issuer: Issuer, code: int) -> None:
    issuer.faults["/document"] = Response(status_code=code)
    with pytest.raises(FetchError, match=rf"/document: status {code}$"):
        await read(issuer)


@pytest.mark.parametrize(
    "target", ["/elsewhere", "/document", "https://idp.example.com/", "file:///etc/passwd"]
)
async def test_no_redirect_is_followed(issuer: Issuer, target: str) -> None:
    issuer.documents["/elsewhere"] = DOCUMENT
    issuer.faults["/document"] = redirect(target)
    with pytest.raises(FetchError, match="status 307"):
        await read(issuer)
    assert issuer.requests == ["/document"]


async def test_a_client_that_follows_redirects_does_not_here(issuer: Issuer) -> None:
    issuer.documents["/elsewhere"] = DOCUMENT
    issuer.faults["/document"] = redirect("/elsewhere")
    async with httpx2.AsyncClient(follow_redirects=True) as client:
        with pytest.raises(FetchError, match="status 307"):
            await fetch(issuer.base + "/document", timeout_seconds=LIMIT, client=client)


async def test_the_clients_of_the_app_are_used_and_stay_open(issuer: Issuer) -> None:
    seen = list[str]()

    async def see(request: httpx2.Request) -> None:
        seen.append(request.url.path)

    async with httpx2.AsyncClient(event_hooks={"request": [see]}) as client:
        for _ in range(2):
            assert await fetch(issuer.base + "/document", timeout_seconds=LIMIT, client=client) == DOCUMENT
    assert seen == ["/document"] * 2


async def test_a_document_may_be_as_large_as_the_limit(issuer: Issuer) -> None:
    issuer.documents["/document"] = b" " * MAX_BYTES
    assert len(await read(issuer) or b"") == MAX_BYTES


@pytest.mark.parametrize(
    "answer", [Response(b" " * (MAX_BYTES + 1)), endless], ids=["one byte more", "endless"]
)
async def test_a_document_that_is_larger_is_not_read_to_its_end(issuer: Issuer, answer: ASGIApp) -> None:
    issuer.faults["/document"] = answer
    with pytest.raises(FetchError, match=f"more than {MAX_BYTES} bytes"):
        await read(issuer)


@pytest.mark.parametrize("timeout_seconds", [0.05, 0.1])
async def test_an_issuer_that_does_not_answer_is_not_waited_for(
    issuer: Issuer, timeout_seconds: float
) -> None:
    issuer.answering.clear()
    with pytest.raises(FetchError, match="Timeout"):
        await read(issuer, timeout_seconds=timeout_seconds)


async def test_the_time_is_for_the_whole_answer(issuer: Issuer) -> None:
    issuer.faults["/document"] = trickle
    with pytest.raises(FetchError, match=r": TimeoutError$"):
        await read(issuer, timeout_seconds=0.25)


async def test_a_connection_that_breaks_is_an_error(issuer: Issuer) -> None:
    issuer.faults["/document"] = cut_off
    with pytest.raises(FetchError, match="RemoteProtocolError"):
        await read(issuer)


async def test_an_issuer_that_is_down_is_an_error_and_one_that_is_back_is_not(issuer: Issuer) -> None:
    await issuer.stop()
    with pytest.raises(FetchError, match="ConnectError"):
        await read(issuer)
    await issuer.start()
    assert await read(issuer) == DOCUMENT


async def test_nothing_is_unpacked(issuer: Issuer) -> None:
    issuer.faults["/document"] = zipped({"padding": " " * MAX_BYTES})
    content = await read(issuer)
    assert content
    assert content.startswith(b"\x1f\x8b")


async def test_an_error_tells_nothing_of_the_document(issuer: Issuer) -> None:
    issuer.faults["/document"] = Response(DOCUMENT, status_code=500)
    with pytest.raises(FetchError) as caught:
        await read(issuer)
    assert "plugh" not in str(caught.value)


def test_there_is_one_tls_context_and_it_verifies() -> None:
    assert tls_context() is tls_context()
    assert tls_context().check_hostname
