"""Who may do what in our PostgreSQL: memweb works as an ordinary role; what needs a superuser is done at each start."""

import os
import pwd

import psycopg

from memweb.stack.paths import ROLE, StackPaths, make_folder

SUPERUSER = "memweb"  # of `initdb`; the first releases worked as this one

# What the superuser made before there was the role is given to it. A sequence of a column follows its table.
_HAND_OVER = f"""
DO $$
DECLARE thing regclass;
BEGIN
    FOR thing IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
            AND relowner <> '{ROLE}'::regrole
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('e', 'a', 'i'))
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO {ROLE}', thing);
    END LOOP;
END $$
"""


def access_options(paths: StackPaths) -> dict[str, str]:
    """Options for the server, by which it lets in only whom the system says is the user that runs memweb: not even the
    user that the server itself runs as. A user without a name (in some containers) cannot be told apart."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        rules, names = "local all all trust\n", ""
    else:
        rules = "local all all peer map=memweb\n"
        names = "".join(f'memweb "{user}" {role}\n' for role in (SUPERUSER, ROLE))
    folder = paths.server_home / "postgres-access"
    make_folder(folder, mode=0o755)
    files = {"hba_file": folder / "pg_hba.conf", "ident_file": folder / "pg_ident.conf"}
    for file, text in zip(files.values(), (rules, names), strict=True):
        file.write_text(text)
        file.chmod(0o644)
    return {option: str(file) for option, file in files.items()}


def superuser_url(paths: StackPaths, database: str) -> str:
    """For what the role may not do."""
    return psycopg.conninfo.make_conninfo(paths.database_url, user=SUPERUSER, dbname=database)


def prepare(paths: StackPaths) -> None:
    """The role, the database that is its own, and the extension in it. Raises psycopg.OperationalError."""
    with psycopg.connect(superuser_url(paths, "postgres"), autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        if connection.execute("SELECT FROM pg_database WHERE datname = 'memweb'").fetchone() is None:
            connection.execute(f"CREATE DATABASE memweb OWNER {ROLE}")
        connection.execute(f"ALTER DATABASE memweb OWNER TO {ROLE}")
    for database in ("memweb", "template1"):  # only a superuser makes it; databases made of the template have it
        with psycopg.connect(superuser_url(paths, database)) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute(_HAND_OVER)
