"""The SQL files of the gates: Jinja as in the dbt project, with its variables and its rule which version counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, StrictUndefined, TemplateError

from include.dbt_facts import dbt_vars
from include.errors import TitansError

GATES = Path(__file__).parent


def renderer(dbt_project: Path) -> Callable[[Path], str]:
    """A function that renders a file. It knows ``var()``, the macros of ``macros/`` and dbt's ``latest_version``.

    Raises:
        TitansError: the variables of the dbt project cannot be read; later, a file cannot be rendered.
    """
    variables = dbt_vars(dbt_project).model_dump()
    environment = Environment(undefined=StrictUndefined, trim_blocks=True)
    environment.globals["var"] = variables.__getitem__

    def render(path: Path) -> str:
        try:
            return environment.from_string(path.read_text(encoding="utf-8")).render()
        except KeyError as error:
            raise TitansError(
                f"{path}: dbt_project.yml has no variable {error}. It has {', '.join(variables)}."
            ) from error
        except TemplateError as error:
            raise TitansError(f"{path} is no SQL template ({error.message}): correct it.") from error

    for path in (dbt_project / "macros" / "versions.sql", *sorted((GATES / "macros").glob("*.sql"))):
        module = environment.from_string(path.read_text(encoding="utf-8")).module
        environment.globals.update({name: macro for name, macro in vars(module).items() if not name.startswith("_")})
    return render
