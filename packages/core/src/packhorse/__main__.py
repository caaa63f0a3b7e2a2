"""`python -m packhorse`: the same as the console script."""

from packhorse.cli import main

if __name__ == "__main__":
    main(prog_name="packhorse")
