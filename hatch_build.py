"""Compiles the catalogs of the package's own texts, for the wheel and for an editable install."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.utils import get_reproducible_timestamp


class CompileCatalogs(BuildHookInterface):  # type: ignore[type-arg]  # hatchling does not export that type
    """Writes a `.mo` beside every `.po`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - as hatchling declares it
        """Run before the files of a wheel are collected."""
        for source in Path(self.root, "src/chatkit_prod/locale/messages").glob("*/LC_MESSAGES/*.po"):
            with source.open("rb") as texts:
                catalog = read_po(texts)
            catalog.creation_date = datetime.fromtimestamp(get_reproducible_timestamp(), UTC)
            with source.with_suffix(".mo").open("wb") as compiled:
                write_mo(compiled, catalog)
