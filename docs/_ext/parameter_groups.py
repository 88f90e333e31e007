"""The parameters of an estimator, grouped by what one has to say with them.

.. parameter-groups:: sklearn_eql.EQLRegressor

   What to search for: functions, n_hidden_layers
   Budget: max_time, n_jobs

A parameter of the constructor that stands in no group, or in two, or that is no parameter, fails the build.
"""

import re
from importlib import import_module

from docutils import nodes
from docutils.statemachine import StringList
from grouping import faults, read
from numpydoc.docscrape import ClassDoc
from sphinx.util.docutils import SphinxDirective

_FIRST_SENTENCE = re.compile(r"(.+?[.])(?: (?=[A-Z\"`:])|$)", re.DOTALL)


class ParameterGroups(SphinxDirective):
    required_arguments = 1
    has_content = True

    def run(self):
        module, _, name = self.arguments[0].rpartition(".")
        cls = getattr(import_module(module), name)
        groups = read(self.content)
        wrong = faults(groups, cls)
        if wrong:
            raise self.error(f"Parameters of {name}: {'; '.join(wrong)}.")
        documented = ClassDoc(cls, config={"show_class_members": False})["Parameters"]
        described = {name.strip(): p for p in documented for name in p.name.split(",")}  # "n_items, item_shape : ..."
        shown = []
        for title, names in groups.items():
            shown.append(nodes.rubric(text=title))
            shown.extend(self._table({name: described[name] for name in names}))
        return shown

    def _table(self, parameters):
        lines = [".. list-table::", "   :widths: 24 76", "   :class: parameters", ""]
        for name, p in parameters.items():
            kind, _, default = p.type.rpartition("default=")
            text = " ".join(line.strip() for line in p.desc)
            sentence = _FIRST_SENTENCE.match(text)
            meaning = (sentence[1] if sentence else text) or kind.rstrip(" ,").capitalize() + "."
            lines += [f"   * - ``{name}={default}``" if default else f"   * - ``{name}``", f"     - {meaning}"]
        box = nodes.container()
        self.state.nested_parse(StringList(lines, source=self.arguments[0]), self.content_offset, box)
        return box.children


def setup(app):
    app.add_directive("parameter-groups", ParameterGroups)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
