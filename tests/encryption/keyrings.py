"""Keyrings that count, fail and wait."""

import secrets

from chatkit_prod.encryption import LocalKeyring, WrappedKey


def key() -> bytes:
    return secrets.token_bytes(32)


class Service(LocalKeyring):
    """Counts its calls as a key service bills them; it may be down."""

    wraps = 0
    unwraps = 0
    is_down = False

    async def wrap(self, data_key: bytes, *, associated_data: bytes) -> WrappedKey:
        self.wraps += 1
        self._require_up()
        return await super().wrap(data_key, associated_data=associated_data)

    async def unwrap(self, wrapped: WrappedKey, *, associated_data: bytes) -> bytes:
        self.unwraps += 1
        self._require_up()
        return await super().unwrap(wrapped, associated_data=associated_data)

    def _require_up(self) -> None:
        if self.is_down:
            raise ConnectionError
