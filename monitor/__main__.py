"""`python -m monitor` is `evtop`."""

from monitor.cli.entry import run

if __name__ == "__main__":
    run()
