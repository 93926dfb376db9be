"""What the subcommands of `mcdose` do. Only these modules and `mcdose.cli` print."""
