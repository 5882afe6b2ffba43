"""What stands in names from outside never becomes markup."""

from tests.production_models import make_job, make_run

from skerry.core.errors import NotFoundError
from skerry.dashboards.board import STATUSES, RunFilter, describe_job, describe_run
from skerry.dashboards.products import describe_product
from skerry.dashboards.run import list_facts
from skerry.dashboards.shell import show_error
from skerry.dashboards.templating import render

EVIL = "<script>alert(1)</script>"


def test_runs_and_jobs_are_escaped():
    run = make_run(
        id=EVIL, job=EVIL, status="failed", detail=EVIL, occurrence='"><b>', collection=EVIL
    )
    row = describe_run(run, prefix="")
    html = render("runs.html", runs=[row], newest="", older="")
    html += render(
        "jobs.html", jobs=[describe_job(make_job(name=EVIL, release_name=EVIL), prefix="")]
    )
    html += render(
        "filters.html", prefix="", jobs=[EVIL], statuses=STATUSES, run_filter=RunFilter(EVIL),
        counts=dict.fromkeys(STATUSES, 0),
    )  # fmt: skip
    html += render(
        "run.html", run=row, facts=list_facts(run),
        parameters=[(EVIL, EVIL)], attempts=[], log=EVIL,
    )  # fmt: skip
    html += render("started.html", run=EVIL)
    assert "<script>" not in html
    assert '"><b>' not in html


def test_products_are_escaped():
    item = {
        "id": EVIL,
        "collection": EVIL,
        "bbox": [0, 0, 1, 1],
        "properties": {"title": EVIL, "skerry:variables": {"v": {"long_name": EVIL}}},
    }
    product = describe_product(item)
    values = {"product": product, "variable": product.variables[0], "source": EVIL}
    html = render("map_title.html", **values) + render("legend.html", **values)
    html += render("facts.html", **values, permalink=EVIL, export=EVIL)
    html += render(
        "overview.html",
        prefix="",
        runs=None,
        jobs=None,
        counts=None,
        health=None,
        products=[(product, "")],
    )
    assert "<script>" not in html


def test_errors_say_what_and_how_to_mend_it():
    html = show_error(NotFoundError(f"No item {EVIL}.", remedy="Look again."))
    assert "Look again." in html
    assert "<script>" not in html
