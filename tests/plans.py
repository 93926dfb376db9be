"""`mcdose plan` in this process."""

import json

import mcdose
from mcdose import sirt
from mcdose.cli import main


def runner(capsys, *first):
    """Return what runs `mcdose plan` with words, of which the first stay: exit code, stdout, stderr."""

    def command(*argv):
        code = main(["plan", *map(str, (*first, *argv))])
        out, err = capsys.readouterr()
        return code, out, err

    return command


def figures_by(run):
    """Return what runs the same with --json and gives the figures; nothing may be warned of."""

    def command(*argv):
        code, out, err = run(*argv, "--json")
        assert (code, err) == (0, "")
        found = json.loads(out)
        assert found["mcdose_version"] == mcdose.__version__
        assert found["notice"] == sirt.NOTICE
        return found

    return command
