"""`memweb doctor`: what is wrong with the data, and what to do."""

import click

from memweb.running import running_memweb

SHOWN = 5  # of what breaks a rule


@click.command()
@click.option("--all", "everything", is_flag=True, help=f"Name everything that breaks a rule, not the first {SHOWN}.")
def doctor(everything: bool) -> None:
    """Look for rows that break a rule, and for files and rows without each other.

    It changes nothing; memweb must be running. Ends with 1 if something is wrong. For a large database it takes
    minutes.
    """
    with running_memweb():
        from agents.doctor import RULES

        broken = 0
        for rule in RULES:
            found = list(rule.look())
            click.echo(f"{'ok' if not found else len(found):>7}  {rule.name}")
            for name in found if everything else found[:SHOWN]:
                click.echo(f"{'':9}{name}")
            if len(found) > SHOWN and not everything:
                click.echo(f"{'':9}and {len(found) - SHOWN:,} more: `memweb doctor --all` names them")
            if found:
                click.echo(click.wrap_text(rule.remedy, 100, " " * 9, " " * 9))
                broken += 1
    click.echo(f"\n{broken} of {len(RULES)} rules are broken." if broken else "\nNothing is wrong.")
    raise SystemExit(1 if broken else 0)
