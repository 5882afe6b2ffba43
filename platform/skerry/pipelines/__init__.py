"""Import and export: commands that use the science and the client."""

from skerry.pipelines.exporting import export_item
from skerry.pipelines.importing import ImportResult, import_product

__all__ = ["ImportResult", "export_item", "import_product"]
