"""The site: `make docs` builds it with Sphinx; every warning, such as a link that leads nowhere, is an error."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "impasto"
author = "the impasto maintainers"
release = version_of("impasto")

extensions = ["myst_parser", "reference_tables"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"impasto {release}"
html_copy_source = False
