"""`report.html`: one file with the figures, the images and the histograms of a calculation, that needs nothing else.

Nothing is imported here: import `mcdose.report.contents` to say what goes in, `mcdose.report.page` to write it,
`mcdose.report.run` for the report of one run.
"""
