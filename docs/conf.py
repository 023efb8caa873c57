"""Sphinx settings: Markdown pages and one reference page from the docstrings."""

project = "Maquette"
copyright = "The Maquette developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["README.md"]
html_theme = "furo"
html_title = "Maquette"
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_ivar = True
suppress_warnings = [
    "myst.xref_missing"
]  # links out of docs/ hold in the repository; tests check them
nitpicky = False
