"""Mermaid blocks as pictures that stand in ``images/diagrams``, so that pages need no script to draw them.

A picture names the block it was drawn from by a comment, ``<!-- source: 0123456789abcdef -->``. If a block has none,
the build says what the comment has to be. A picture is made by ``mmdc --input block.mmd --output picture.svg`` of
mermaid-cli.
"""

import re
from hashlib import sha256
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

_FOLDER = "images/diagrams"
_SOURCE = re.compile(r"<!-- source: (\w+) -->")
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_log = logging.getLogger(__name__)


def key(code):
    """What a picture says it was drawn from."""
    return sha256(code.strip().encode()).hexdigest()[:16]


def pictures(docs):
    """File and title of every picture, by the key of its block."""
    drawn = {}
    for path in sorted(Path(docs, _FOLDER).glob("*.svg")):
        text = path.read_text(encoding="utf-8")
        source, title = _SOURCE.search(text), _TITLE.search(text)
        if source is not None:
            drawn[source[1]] = path.name, title[1] if title else "Diagram"
    return drawn


class _Draw(SphinxTransform):
    default_priority = 200

    def apply(self, **kwargs):
        blocks = [node for node in self.document.findall(nodes.literal_block) if node.get("language") == "mermaid"]
        drawn = pictures(self.env.srcdir) if blocks else {}
        for block in blocks:
            wanted = key(block.astext())
            if wanted not in drawn:
                _log.warning("no picture in %s says <!-- source: %s -->", _FOLDER, wanted, location=block)
                continue
            name, title = drawn[wanted]
            box = nodes.container(classes=["diagram"])
            box += nodes.image(uri=f"/{_FOLDER}/{name}", alt=title)
            block.replace_self(box)


def setup(app):
    app.add_transform(_Draw)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
