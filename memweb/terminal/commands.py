"""The terminal's commands, for `memweb.cli` to add. What takes long to import is imported where it is used."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, ParamSpec

import click

if TYPE_CHECKING:
    from rich.console import Console

    from memweb.client import Agent, Client, Loaded

P = ParamSpec("P")


def _sentences(command: Callable[P, None]) -> Callable[P, None]:
    """A failure is one sentence on stderr and exit code 1."""

    @wraps(command)
    def carried_out(*args: P.args, **kwargs: P.kwargs) -> None:
        from memweb.client import MemwebError
        from memweb.terminal.faults import sentence
        from memweb.terminal.safe import safe

        try:
            command(*args, **kwargs)
        except MemwebError as error:
            raise click.ClickException(safe(sentence(error))) from error
        except (EOFError, KeyboardInterrupt) as leaving:
            raise SystemExit(130) from leaving

    return carried_out


def _client() -> "Client":
    from memweb.client import create_client
    from memweb.terminal.language import language

    return create_client(language=language())


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, emoji=False)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


@click.command()
@click.option("--agent", "name", help="The agent to talk to, by its name or id.")
@_sentences
def run(name: str | None) -> None:
    """Chat with an agent. Starts memweb where none runs, and stops it at the end.

    Without a terminal it sends what comes by a pipe as one message and prints the reply alone.
    """
    from rich.console import Console

    from memweb.client import is_told
    from memweb.terminal.local_server import serving

    if is_told():  # another one is meant than this machine's own
        _talk(name)
        return
    with serving(Console(stderr=True)):
        _talk(name)


def _talk(name: str | None) -> None:
    import asyncio

    from memweb.terminal import beginning, plain

    if _is_terminal():
        asyncio.run(_chat(name))
        return
    with _client() as client:
        agent = (
            client.get_agent(name) if name else beginning.only_agent(beginning.last_used_first(client.list_agents()))
        )
        click.echo(plain.answer(client, agent, sys.stdin.read()))


async def _chat(name: str | None) -> None:
    from memweb.client import create_async_client
    from memweb.terminal import beginning
    from memweb.terminal.conversation import Conversation
    from memweb.terminal.language import language

    console = _console()
    async with create_async_client(language=language()) as client:
        agent = await beginning.agent_to_talk_to(client, console, name)
        beginning.remember(agent)
        await Conversation(client, agent, console).hold()


@click.command("list")
@_sentences
def list_agents() -> None:
    """List your agents."""
    from rich.table import Table
    from rich.text import Text

    from memweb.terminal.language import gettext as _
    from memweb.terminal.safe import one_line

    with _client() as client:
        agents = client.list_agents()
    if not sys.stdout.isatty():
        for agent in agents:
            click.echo(f"{one_line(agent.name)}\t{agent.id}")
        return
    if not agents:
        click.echo(_("You have no agent yet. `memweb create` makes one."))
        return
    table = Table(box=None, pad_edge=False)
    for heading in (_("Name"), _("Model"), _("Created"), "id"):
        table.add_column(heading, overflow="fold")
    for agent in agents:
        made = f"{agent.created_at.astimezone():%Y-%m-%d %H:%M}" if agent.created_at else ""
        table.add_row(Text(one_line(agent.name), "bold"), Text(one_line(agent.model or "")), made, agent.id)
    _console().print(table)


@click.command()
@click.argument("name")
@click.option("--persona", help="Who the agent is: the name of a preset, or a text.")
@click.option("--human", help="Who you are: the name of a preset, or a text.")
@click.option("--model", help="The model it thinks with.")
@_sentences
def create(name: str, persona: str | None, human: str | None, model: str | None) -> None:
    """Create an agent called NAME."""
    from memweb.terminal.language import gettext as _
    from memweb.terminal.safe import one_line

    with _client() as client:
        presets = client.presets()
        texts = [
            next((preset.text for preset in offered if preset.name == given), given)
            for given, offered in ((persona, presets.personas), (human, presets.humans))
        ]
        agent = client.create_agent(name=name, persona=texts[0], human=texts[1], model=model)
    click.echo(_("Created %(agent)s. `memweb run --agent %(agent)s` talks to it.") % {"agent": one_line(agent.name)})


@click.command()
@click.argument("name")
@click.option("--yes", "sure", is_flag=True, help="Do not ask.")
@_sentences
def delete(name: str, sure: bool) -> None:
    """Delete the agent NAME with all it knows."""
    from memweb.terminal.composer import yes
    from memweb.terminal.language import gettext as _
    from memweb.terminal.safe import one_line

    with _client() as client:
        agent = client.get_agent(name)
        shown = {"agent": one_line(agent.name)}
        if not sure and not _is_terminal():
            raise click.ClickException(_("Give --yes to delete %(agent)s without a question.") % shown)
        if not sure and not yes(
            click.prompt(_("Delete %(agent)s with all it knows? [y/n]") % shown, prompt_suffix=" ")
        ):
            click.echo(_("Nothing was done."))
            return
        client.delete_agent(agent.id)
    click.echo(_("Deleted %(agent)s.") % shown)


@click.command("export")
@click.argument("name")
@click.argument("file", required=False, type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--documents", is_flag=True, help="With its documents, as a zip.")
@click.option("--letta", is_flag=True, help="As Letta's .af, without passages.")
@_sentences
def export_agent(name: str, file: Path | None, documents: bool, letta: bool) -> None:
    """Write the whole agent NAME to a file.

    FILE may be "-" for the output; without one the file has the agent's name.
    """
    from memweb.terminal.language import gettext as _
    from memweb.terminal.safe import one_line

    if letta and documents:
        raise click.ClickException(_("Letta's file has no documents: give --documents or --letta."))
    with _client() as client:
        agent = client.get_agent(name)
        form: Literal["letta", "memweb"] = "letta" if letta else "memweb"

        def save(file: BinaryIO) -> None:
            client.save_agent(agent.id, file, documents=documents, format=form)

        if str(file) == "-":
            save(sys.stdout.buffer)
            return
        target = file or Path(f"{_file_name(agent)}.{'af' if letta else 'zip' if documents else 'json'}")
        _write(target, save)
    click.echo(_("Wrote %(agent)s to %(file)s.") % {"agent": one_line(agent.name), "file": target})


def _write(target: Path, save: "Callable[[BinaryIO], None]") -> None:
    """All of it or nothing: a file of that name stays as it is until the new one is whole."""
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as file:
            save(file)
        part.replace(target)
    except OSError as error:
        raise click.ClickException(f"{target}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _file_name(agent: "Agent") -> str:
    kept = "".join(character if character.isalnum() or character in " -_." else "_" for character in agent.name)
    return kept.strip(" .")[:100] or "agent"


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="The name it is to have here.")
@_sentences
def import_agent(file: Path, name: str | None) -> None:
    """Make an agent of a file.

    FILE is one that `memweb export` or Letta wrote.
    """
    from memweb.terminal.language import gettext as _
    from memweb.terminal.safe import one_line

    with _client() as client:
        agents = client.import_agent(file, name=name)
    for agent in agents:
        click.echo(_("Imported %(agent)s.") % {"agent": one_line(agent.name)})
        for function in agent.missing_functions:
            click.echo(_("The function %(name)s is not here.") % {"name": one_line(function)}, err=True)
        for document in agent.missing_files:
            click.echo(
                _("The file %(name)s did not come along. Load it again.") % {"name": one_line(document)}, err=True
            )


@click.command("copy")
@click.argument("name")
@click.argument("copy_name", metavar="NEW_NAME")
@_sentences
def copy_agent(name: str, copy_name: str) -> None:
    """Make a second agent NEW_NAME that is what NAME is now."""
    from memweb.terminal.language import gettext as _
    from memweb.terminal.safe import one_line

    with _client() as client:
        agent = client.copy_agent(client.get_agent(name).id, name=copy_name)
    click.echo(_("Created %(agent)s. `memweb run --agent %(agent)s` talks to it.") % {"agent": one_line(agent.name)})


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--archive", required=True, help="The archive, by its name; one that is not there is made.")
@_sentences
def load(paths: tuple[Path, ...], archive: str) -> None:
    """Load files, and all files of folders, into an archive.

    An export of ChatGPT or Claude, of any size, becomes a document for each conversation.
    """
    from memweb.client import NotFound
    from memweb.terminal.exports import split
    from memweb.terminal.loading import Bar

    with split(paths) as (files, conversations), _client() as client:
        try:
            found = client.get_archive(archive)
        except NotFound:
            found = client.create_archive(archive)
        with Bar(_console()) as bar:
            loaded = client.load_documents(files, archive_id=found.id, progress=bar.told)
    _say_what_was_loaded(loaded, found.name, conversations)


def _say_what_was_loaded(loaded: "list[Loaded]", archive: str, conversations: int) -> None:
    from memweb.terminal.language import gettext as _
    from memweb.terminal.language import ngettext
    from memweb.terminal.safe import one_line

    refused = [one for one in loaded if one.error]
    for one in refused:
        click.echo(f"{one_line(one.path)}: {one_line(one.error)}", err=True)
    taken = len(loaded) - len(refused)
    text = ngettext("Loaded %(count)d file into “%(archive)s”.", "Loaded %(count)d files into “%(archive)s”.", taken)
    click.echo(text % {"count": taken, "archive": one_line(archive)})
    if conversations:
        text = ngettext(
            "%(count)d conversation is in what was loaded. It is read in the background and found as soon as it is.",
            "%(count)d conversations are in what was loaded. They are read in the background, and each is found as "
            "soon as it is.",
            conversations,
        )
        click.echo(text % {"count": conversations})
    if not loaded:
        raise click.ClickException(_("There was no file to load."))
    if refused:
        raise SystemExit(1)


@click.command()
@click.argument("archive")
@click.option("--agent", "name", required=True, help="The agent that is to search it, by its name or id.")
@_sentences
def attach(archive: str, name: str) -> None:
    """Let an agent search an archive."""
    from memweb.terminal.language import gettext as _
    from memweb.terminal.safe import one_line

    with _client() as client:
        agent, found = client.get_agent(name), client.get_archive(archive)
        client.attach_archive(agent_id=agent.id, archive_id=found.id)
    names = {"agent": one_line(agent.name), "archive": one_line(found.name)}
    click.echo(_("%(agent)s searches “%(archive)s” from now on.") % names)


@click.command()
@click.option("--agent", "name", help="The one agent to show, by its name or id; without it all of yours.")
@click.option("--url", help="Where memweb answers; else MEMWEB_URL, else the one of this machine.")
@click.option("--token", help="What opens it; else MEMWEB_TOKEN, else this machine's own.")
@_sentences
def mcp(name: str | None, url: str | None, token: str | None) -> None:
    """Give other assistants your agents' memory as tools.

    Speaks the Model Context Protocol on stdin and stdout; an assistant starts it. Over HTTP: /mcp.
    """
    from memweb.mcp.stdio import serve

    serve(name, url, token)


COMMANDS = (run, list_agents, create, delete, export_agent, import_agent, copy_agent, load, attach, mcp)
