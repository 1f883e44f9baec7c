"""Measure mockmail against its peers: ``python tests/benchmarks/run.py [--only NAME ...] [--rounds N] [--realtime]``.

Makes a virtual environment with all peers of PyPI and npm on first use (without npm, no column smtp-server). Postfix's
smtp-sink and Dovecot are measured where they are installed (Debian: postfix, dovecot-pop3d). Prints one table per
scenario: of interleaved rounds the least and [the median], the ratios of both to mockmail's, and whether the least
meets the goal. Nothing here is a test: figures depend on the machine.
"""

from __future__ import annotations

import argparse
import compileall
import datetime
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ENVIRONMENT = ROOT / ".venv-bench"
NODE = ENVIRONMENT / "node"
PEERS = (
    "aiosmtpd==1.4.6",
    "smtpdfix==0.5.3",
    "pytest-localserver==0.10.0",
    "pymap==0.36.7",
    "twisted==26.10.0",
)
NODE_PEERS = ("smtp-server@3.21.6",)
SCENARIO_NAMES = (
    "start",
    "server",
    "import",
    "per-test",
    "smtp",
    "smtplib",
    "memory",
    "imap",
    "imap-text",
    "imap-sizes",
    "pop3",
    "relay",
    "http",
    "http-start",
    "page",
)
ROUNDS = 3


def enter_environment() -> None:
    """Go on in the environment that has the peers; made when it is not there, or was made for other peers."""
    # Bytecode is kept, as any installation keeps it: compiling our sources each time is not what users pay.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if Path(sys.prefix).resolve() == ENVIRONMENT.resolve():
        return
    npm = shutil.which("npm")
    node_peers = NODE_PEERS if npm else ()
    note = ENVIRONMENT / "peers.txt"
    wanted = "\n".join((*PEERS, *node_peers, "mockmail[http], not editable"))
    if not note.is_file() or note.read_text(encoding="utf-8") != wanted:
        print(f"installing {', '.join((*PEERS, *node_peers))} into {ENVIRONMENT}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS, f"{ROOT}[http]"], check=True)
        if npm:
            command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(NODE), *node_peers]
            NODE.mkdir(exist_ok=True)
            subprocess.run(command, check=True, stdout=sys.stderr)
        note.write_text(wanted, encoding="utf-8")
    os.execv(python, [str(python), *sys.argv])


def install_copy() -> None:
    """Put mockmail as it now is where users have it, beside its peers and compiled: a source tree on the path costs
    each import a search more, and may change while it is measured."""
    installed = Path(sysconfig.get_path("purelib")) / "mockmail"
    shutil.rmtree(installed, ignore_errors=True)
    shutil.copytree(ROOT / "src" / "mockmail", installed, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(installed, quiet=1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=SCENARIO_NAMES, default=SCENARIO_NAMES)
    parser.add_argument("--rounds", type=int, help=f"rounds of every scenario; by default {ROUNDS}, 2 for IMAP")
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="run ahead of all else on a machine that is used for other things, too (needs root)",
    )
    parser.add_argument("--contenders", nargs="+", metavar="NAME", default=(), help="only these columns")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    enter_environment()
    install_copy()
    if options.realtime:
        # Children inherit it. A nice value is not enough: Linux weighs it only within the terminal's session.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))

    import harness
    import http_rows
    import imap_rows
    import import_rows
    import memory_rows
    import pertest_rows
    import pop3_rows
    import relay_rows
    import server_rows
    import smtp_rows

    modules = (
        server_rows,
        import_rows,
        pertest_rows,
        smtp_rows,
        memory_rows,
        imap_rows,
        pop3_rows,
        relay_rows,
        http_rows,
    )
    scenarios = {scenario.name: scenario for module in modules for scenario in module.SCENARIOS}
    peers = ", ".join((*PEERS, *NODE_PEERS))
    today = datetime.datetime.now(datetime.UTC).date()
    print(f"{today}; Python {platform.python_version()}, {os.cpu_count()} cores, {platform.platform()}; {peers}")
    for name in options.only:
        scenario = scenarios[name]
        figures = harness.run(scenario, options.rounds or scenario.rounds or ROUNDS, options.contenders)
        print(harness.table(scenario, figures), flush=True)


if __name__ == "__main__":
    main()
