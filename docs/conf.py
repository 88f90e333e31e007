"""How the documentation is built: ``make docs``. Nothing is fetched while it is; warnings are errors there."""

import sys
from importlib import import_module
from inspect import getmodule
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

project = "sklearn_eql"
author = "sklearn_eql developers"
copyright = author
release = import_module("sklearn_eql").__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_design",
    "sphinx_copybutton",
    # Of this folder:
    "adopted_pages",
    "diagrams",
    "mathml",
    "parameter_groups",
]
exclude_patterns = ["_build", "_ext"]
highlight_language = "text"
default_role = "literal"  # what docstrings put into single backticks are names

# Markdown as it is read on GitHub, whose anchors the pages use.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_dmath_allow_labels = False

# Pages that stand elsewhere in the repository: each has a page here that says so, whose text they replace.
adopted_pages = {
    "start": "README.md",
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "benchmark_scripts": "benchmarks/README.md",
}

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # as they are written: one of them holds all functions of the package
autodoc_typehints = "none"  # docstrings say more: shapes, units, and what is allowed
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_eql"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {page: [] for page in ("index", "start", "method")}  # of sections with one page
html_math_renderer = "mathml"
copybutton_exclude = ".linenos, .gp, .go"


def _is_of_scikit_learn(app, what, name, member, skip, options):
    """Leave methods out that scikit-learn has documented."""
    module = getmodule(member)
    return True if module is not None and module.__name__.split(".")[0] == "sklearn" else skip


def setup(app):
    app.connect("autodoc-skip-member", _is_of_scikit_learn)
