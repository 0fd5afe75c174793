"""``python -m titans.bench FOLDER``: a made-up world on disk, to run anything on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from include.errors import TitansError, refusal
from titans.bench.export import write_export
from titans.bench.world import DAY_AFTER, DAY_AFTER_THAT, FIRST_EXPORT, World, write_project
from titans.output import console, errors

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def write_world(
    folder: Annotated[Path, typer.Argument(help="A new folder for the dbt project with its seeds and the exports.")],
    symbols: Annotated[int, typer.Option(help="Equities; an index for every fifty comes on top.")] = 100,
    years: Annotated[int, typer.Option(help="Of history.")] = 5,
    baskets: Annotated[int, typer.Option(help="How many.")] = 4,
    members: Annotated[int, typer.Option(help="Equities in each at a time.")] = 10,
) -> None:
    """Write a made-up world: its dbt project, its first export, and the deliveries of the two days after."""
    try:
        world = World(symbols, years, baskets, members)
        if folder.exists():
            raise TitansError(f"{folder} is there already: name a new folder.")
        project = write_project(world, folder / "project")
        first = write_export(world, project, folder / "first", FIRST_EXPORT)
        news = write_export(world, project, folder / "day_after", DAY_AFTER, since=FIRST_EXPORT)
        whole = write_export(world, project, folder / "day_after_that", DAY_AFTER_THAT)
        rows = {"first": first, "day_after": news, "day_after_that": whole}
        (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    except (TitansError, OSError) as error:
        errors.print(f"Error: {refusal(error) if isinstance(error, OSError) else error}", style="red", markup=False)
        raise typer.Exit(1) from error
    console.print(
        f"{first['prices']:,} price rows. To run it:\n"
        f"TITANS_DBT_PROJECT_DIR={project.resolve()} make run SOURCE=files DATA=<a folder of its own> "
        f"FILES={folder.resolve() / 'first'} EXPORTED_AT={FIRST_EXPORT}\n"
        f"Then FILES={folder.resolve() / 'day_after'} EXPORTED_AT={DAY_AFTER} (what is new), or\n"
        f"FILES={folder.resolve() / 'day_after_that'} EXPORTED_AT={DAY_AFTER_THAT} (all of it).",
        soft_wrap=True,
    )


if __name__ == "__main__":
    app()
