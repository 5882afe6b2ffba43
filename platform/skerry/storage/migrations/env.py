"""Run the scripts on the connection, and inside the transaction, that `upgrade` opened."""

from alembic import context

from skerry.storage.columns import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
context.run_migrations()
