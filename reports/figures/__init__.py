"""One figure per module: tables in, a plotly figure out."""
