"""What is shown, to take away: all columns as CSV, all figures and the table as one file."""

from __future__ import annotations

from dash import Dash, Input, Output, State, dcc, html

from tradeoffs.dashboard import address, filters, listing
from tradeoffs.dashboard.export import report
from tradeoffs.dashboard.store import Store


def buttons() -> html.Div:
    return html.Div(
        [
            html.Button("Save CSV", id="csv", title="the runs shown, with all columns"),
            html.Button(
                "Save report", id="report", title="all figures and the table of the runs shown, as one HTML file"
            ),
            dcc.Download(id="csv-file"),
            dcc.Download(id="report-file"),
        ],
        className="saving",
    )


def register(app: Dash, store: Store) -> None:
    @app.callback(
        Output("csv-file", "data"), Input("csv", "n_clicks"), State("url", "search"), prevent_initial_call=True
    )
    def save_csv(clicks: int, search: str) -> dict:
        view = address.read(search)
        rows = listing.searched(filters.shown(store.table(), view), address.first(view, "search"))
        return {"content": rows.to_csv(index_label="folder"), "filename": "runs.csv", "type": "text/csv"}

    @app.callback(
        Output("report-file", "data"), Input("report", "n_clicks"), State("url", "search"), prevent_initial_call=True
    )
    def save_report(clicks: int, search: str) -> dict:
        return {"content": report(store, address.read(search)), "filename": "report.html", "type": "text/html"}
