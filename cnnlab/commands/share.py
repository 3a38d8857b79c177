"""`share`: the app on the network, where visitors watch and the presenter acts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from cnnlab.sharing import PASSPHRASE, given_passphrase, host_names, new_passphrase

APP = Path(__file__).parents[2] / "app.py"


@click.command(short_help="Open the app to the network.")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True)
@click.option(
    "--host", "more_hosts", multiple=True, help="A further name visitors use, such as a proxy's."
)
def share(port: int, more_hosts: tuple[str, ...]) -> int:
    """Open the app to the network: visitors watch, the presenter's passphrase lets act."""
    given = given_passphrase()
    passphrase = given or new_passphrase()
    hosts = [*more_hosts, *host_names()]
    click.echo("Visit, and let others visit:")
    for host in hosts:
        click.echo(f"  http://{host}:{port}")
    if given:
        click.echo(f"To act, sign in with the passphrase in {PASSPHRASE}. Others watch.")
    else:
        click.echo(f"To act, sign in with the passphrase  {passphrase}  . Others watch.")
    click.echo("It crosses the network as it is typed: on one you do not trust, use TLS (README).")
    sys.stdout.flush()
    try:
        return subprocess.run(
            command(port, hosts), env={**os.environ, PASSPHRASE: passphrase}, check=False
        ).returncode
    except KeyboardInterrupt:  # the app got the signal as well, and has ended
        return 0


def command(port: int, hosts: list[str]) -> list[str]:
    """What starts the app for the network; its other settings are those of `config.toml`."""
    allowed = [
        part
        for host in ("localhost", "127.0.0.1", *hosts)
        for part in ("--server.allowedHosts", host)
    ]
    address = ["--server.address", "0.0.0.0", "--server.port", str(port)]
    quiet = ["--server.headless", "true"]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *address, *quiet, *allowed]
