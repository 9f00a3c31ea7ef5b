"""`python -m reservesvc` is the command `reservesvc`."""

import sys

from reservesvc.cli import main

if __name__ == "__main__":
    sys.exit(main())
