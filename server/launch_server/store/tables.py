"""The tables. Moments are Unix seconds (float), JSON is text."""

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

entities = Table(
    "entities",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("is_team", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("username", String(128), nullable=False, unique=True),
    Column("email", String(254), nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("default_entity", String(128), nullable=False),
    Column("created_at", Double, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("entity", String(128), primary_key=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("last_four", String(4), nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("entity", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("entity", "name"),
)

resource_configs = Table(
    "resource_configs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("entity", String(128), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("config", Text, nullable=False),
    Column("template_variables", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

queues = Table(
    "queues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("entity", String(128), nullable=False),
    Column("project", String(128), nullable=False),
    Column("name", String(64), nullable=False),
    Column("access", String(16), nullable=False),
    Column("created_by", Integer, nullable=False),
    Column("prioritization", String(16), nullable=False),
    Column("config_id", ForeignKey("resource_configs.id")),
    Column("external_links", Text),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("entity", "project", "name"),
)

items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("queue_id", ForeignKey("queues.id"), nullable=False),
    Column("entity", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    # what a pop orders by before the id: the priority in a queue with mode V0, else 0
    Column("rank", Integer, nullable=False),
    Column("priority", Integer),
    Column("spec", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("leases", Integer, nullable=False),
    Column("lease_expires", Double),
    Column("agent_id", Integer),
    Column("run_name", String(128)),
    Column("run_entity", String(128), nullable=False),
    Column("run_project", String(128), nullable=False),
    Column("ended_at", Double),
    Column("error_message", Text),
    Column("error_stage", String(64)),
    Column("error_source", String(16)),
    Column("error_files", Text),
    Column("warnings", Text),
    Index("items_by_turn", "queue_id", "state", "rank", "id"),
    Index("items_by_lease", "state", "lease_expires"),
    Index("items_by_run", "run_name"),
    sqlite_autoincrement=True,  # the id of a deleted item is never given again
)

agents = Table(
    "agents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("entity", String(128), nullable=False),
    Column("project", String(128), nullable=False),
    Column("name", String(64), nullable=False, unique=True),
    Column("queues", Text, nullable=False),
    Column("hostname", Text, nullable=False),
    Column("config", Text),
    Column("version", Text),
    Column("status", String(16), nullable=False),
    Column("stop_polling", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("entity", String(128), nullable=False),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("stop_requested", Boolean, nullable=False),
    Column("exit_code", Integer),
    Column("display_name", Text, nullable=False),
    Column("description", Text),
    Column("notes", Text),
    Column("config", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("tags", Text),
    Column("group_name", Text),
    Column("job_type", Text),
    Column("sweep", Text),
    Column("commit_hash", Text),
    Column("host", Text),
    Column("program", Text),
    Column("repo", Text),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
    UniqueConstraint("entity", "project", "name"),
    Index("runs_by_heartbeat", "state", "heartbeat_at"),
)

# one row per line of a file that a run streams (history, events, output)
lines = Table(
    "run_lines",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("file", String(128), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", Text, nullable=False),
)

files = Table(
    "run_files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("name", String(1024), nullable=False),
    Column("size", Integer),
    Column("uploaded_at", Double),
    UniqueConstraint("run_id", "name"),
)
