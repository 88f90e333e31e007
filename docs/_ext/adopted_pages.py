"""Pages of the site that stand elsewhere in the repository, such as the README, with their links turned to the site.

A page keeps its own title, and has the text of the other one for what follows.
"""

import os
import re
from pathlib import Path

_LINK = re.compile(r"(\]\()([^)#:\s]+)([^):\s]*\))")


def turned(text, folder, pages, home):
    """Links of a text that stands in `folder`, as links from `home`: to one of `pages`, by file, where there is one."""

    def turn(match):
        target = (folder / match[2]).resolve()
        target = pages.get(target, target)
        return match[1] + Path(os.path.relpath(target, home)).as_posix() + match[3]

    return _LINK.sub(turn, text)


def _read(app, docname, source):
    docs = Path(app.srcdir)
    pages = {(docs.parent / file).resolve(): docs / f"{name}.md" for name, file in app.config.adopted_pages.items()}
    home = Path(app.env.doc2path(docname)).parent
    file = app.config.adopted_pages.get(docname)
    folder, text = home, source[0]
    if file is not None:
        adopted = docs.parent / file
        app.env.note_dependency(str(adopted))
        _, _, rest = adopted.read_text(encoding="utf-8").partition("\n")
        folder, text = adopted.parent, text.partition("\n")[0] + "\n" + rest
    source[0] = turned(text, folder, pages, home)


def setup(app):
    app.add_config_value("adopted_pages", {}, "env")
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
