"""`python -m taskshare VERB`."""

from taskshare.cli import main

main()
