"""`python -m monitor` is `evtop`."""

from monitor.cli.main import run

if __name__ == "__main__":
    run()
