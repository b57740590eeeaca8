"""`memweb function`: an example to begin with, and a call without an agent."""

import keyword
import re

import click

from memweb.functions import Call, sources
from memweb.functions.sources import FOLDER, Described, FunctionFault, Source
from memweb.stack.env import COMMAND, env

EXAMPLE = '''"""What agents read of a function is its docstring and its types. This file is yours: change all of it."""

from memweb.functions import function


# idempotent=True: a second call does no more than the first, so memweb repeats one that was interrupted. Of another it
# tells the agent that nobody knows whether it did its work. time_limit is in seconds.
@function(idempotent=True, time_limit=30)
def {name}(text: str, times: int = 1) -> str:
    """Say something backwards.

    Args:
        text: What to say.
        times: How often.
    """
    if times < 1:
        raise ValueError("times must be at least 1")  # the agent reads this, and can mend its call
    return " ".join([text[::-1]] * times)


# `async def` works too. Settings come from the environment or from memweb's .env: os.getenv("MY_KEY").
# Packages that a module imports must be installed where memweb runs.
'''


@click.group(name="function")
def own_functions() -> None:
    """Functions of your own, which agents can be given."""


@own_functions.command()
@click.argument("name")
def new(name: str) -> None:
    """Write an example to begin with: NAME.py, with the function NAME."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,63}", name) or keyword.iskeyword(name):
        raise click.ClickException(f"“{name}” cannot be a function: small letters, digits and _ make a name.")
    path = env().memweb_home / FOLDER / f"{name}.py"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(EXAMPLE.replace("{name}", name))
    except FileExistsError as error:
        raise click.ClickException(f"There is a file {path} already; it was left as it is.") from error
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"Written: {path}")
    click.echo(f"""Try it: {COMMAND} function try {name} --arguments '{{"text": "hello"}}'""")
    click.echo("Then turn it on for an agent: the tab Functions, “Look at the folder again”.")


@own_functions.command(name="try")
@click.argument("name")
@click.option("--arguments", default="{}", help='As JSON: \'{"text": "hello"}\'.')
def try_(name: str, arguments: str) -> None:
    """Call NAME, as an agent would, and print what the agent would read."""
    source, function = _found(name)
    by = Call(id="try", agent="memweb function try", agent_id="", person="")
    try:
        told = sources.call(source.place, name, arguments, by=by, seconds=function.time_limit, check=lambda: None)
    except FunctionFault as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(told)


def _found(name: str) -> tuple[Source, Described]:
    there: list[str] = []
    for source in sources.sources(env().memweb_home):
        try:
            described = sources.describe(source)
        except FunctionFault as fault:
            click.echo(f"{source.name} cannot be used: {fault}", err=True)
            continue
        for function in described:
            if function.name == name:
                return source, function
            there.append(function.name)
    known = f"There are: {', '.join(there)}." if there else f"`{COMMAND} function new {name}` writes an example."
    raise click.ClickException(f"There is no function {name}. {known}")
