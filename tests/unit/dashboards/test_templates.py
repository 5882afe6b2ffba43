"""What stands in names from outside never becomes markup."""

from skerry.core.errors import NotFoundError
from skerry.dashboards.board import describe_job, describe_run
from skerry.dashboards.catalogue import describe_product
from skerry.dashboards.shell import render, show_error

EVIL = "<script>alert(1)</script>"


def test_runs_and_jobs_are_escaped():
    run = {"id": EVIL, "job": EVIL, "status": "failed", "detail": EVIL, "occurrence": '"><b>'}
    html = render("runs.html", runs=[describe_run(run, prefix="")])
    html += render("jobs.html", jobs=[describe_job({"name": EVIL, "release": EVIL})])
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
        "overview.html", prefix="", runs=None, jobs=None, counts=None, products=[(product, "")]
    )
    assert "<script>" not in html


def test_errors_say_what_and_how_to_mend_it():
    html = show_error(NotFoundError(f"No item {EVIL}.", remedy="Look again."))
    assert "Look again." in html
    assert "<script>" not in html
