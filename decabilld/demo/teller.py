"""What the demo prints: dated lines in columns, coloured on a terminal, with a line of progress while one waits."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

import click

_WHEN, _TENANT, _WHO, _WHAT, _AMOUNT = 12, 8, 16, 47, 7
_COLOURS = {"issued": "green", "paid": "cyan", "warning": "yellow", "act": None}


class Teller:
    """Says things in order."""

    def title(self, text: str) -> None:
        click.echo(f"\n{click.style(text, bold=True)}")

    def columns(self) -> None:
        """The heads of what `event` says."""
        head = f"{'WHEN (UTC)':<{_WHEN}}  {'TENANT':<{_TENANT}}  {'WHO':<{_WHO}}  {'WHAT':<{_WHAT}}"
        amounts = "".join(f"  {word:>{_AMOUNT}}" for word in ("NET", "TAX", "GROSS"))
        click.secho(head + amounts, dim=True)

    def event(self, when: datetime, tenant: str, who: str, what: str, *amounts: Decimal, kind: str = "act") -> None:
        """One line; `amounts` stand right-aligned under NET, TAX and GROSS."""
        row = f"{when:%d %b %H:%M}  {tenant:<{_TENANT}}  {who:<{_WHO}}  "
        said = f"{what:<{_WHAT}}" if amounts else what
        numbers = "".join(f"  {amount:>{_AMOUNT},.2f}" for amount in amounts)
        click.echo(click.style(row, dim=True) + click.style(said, fg=_COLOURS[kind]) + numbers)

    def note(self, text: str) -> None:
        click.echo(text)

    def good(self, text: str) -> None:
        click.echo(f"{click.style('ok', fg='green')}  {text}")

    def bad(self, text: str) -> None:
        click.secho(f"FAULT  {text}", fg="red", bold=True, err=True)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Says on a terminal what is being waited for, and takes it back afterwards."""
        shown = sys.stderr.isatty()
        if shown:
            click.secho(f"\r\033[K{text} …", dim=True, nl=False, err=True)
        try:
            yield
        finally:
            if shown:
                click.echo("\r\033[K", nl=False, err=True)
