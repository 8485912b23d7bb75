"""Every block of Python in the README and in the documentation is a test.

The blocks of one page share their names, from top to bottom. A block that cannot run is preceded by
`<!-- skip: next "the reason" -->`; a span of them stands between `<!-- skip: start -->` and `<!-- skip: end -->`.
"""

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/**/*.md"],
).pytest()
