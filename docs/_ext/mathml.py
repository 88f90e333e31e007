"""Formulas as MathML, written by docutils while the pages are built: browsers draw it without a script or a network."""

import re

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

_TAG = re.compile(r"\\tag\{([^}]*)\}")


def _inline(self, node):
    self.body.append(tex2mathml(node.astext()))
    raise SkipNode


def _display(self, node):
    """A formula on a line of its own, with the number that ``\\tag`` gives it at the right."""
    tex = node.astext()
    number = _TAG.search(tex)
    self.body.append(f'<div class="formula">{tex2mathml(_TAG.sub("", tex), as_block=True)}')
    if number is not None:
        self.body.append(f'<span class="formula-number">({number[1]})</span>')
    self.body.append("</div>\n")
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
