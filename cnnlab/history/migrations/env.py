"""Where Alembic starts: it works on the connection, and in the transaction, that it is given."""

from alembic import context

from cnnlab.history.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
