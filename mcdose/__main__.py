"""`python -m mcdose`."""

import sys

from mcdose.cli import main

sys.exit(main())
