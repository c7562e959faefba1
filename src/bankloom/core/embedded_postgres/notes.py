"""Says in sentences what a person should know about where and how the database runs."""

from bankloom.core.embedded_postgres.folder import DataFolder
from bankloom.core.embedded_postgres.home import STATE_DIR
from bankloom.core.embedded_postgres.programs import Programs


def make_notes(folder: DataFolder, programs: Programs) -> tuple[str, ...]:
    """Return a sentence for each thing that is not as one would expect."""
    runner = programs.account
    notes = {
        f"PostgreSQL runs as {runner.name}, because it does not run as root.": runner.borrowed,
        f"The data is in {folder.home}, because {runner.name} cannot reach {folder.path}.": (
            folder.home != folder.path
        ),
        f"The PostgreSQL programs were copied to {programs.bin_dir}, because {runner.name} "
        "cannot reach the installed ones.": programs.bin_dir.is_relative_to(STATE_DIR),
        f"The socket is in {folder.socket_folder}, because {folder.home} is too long a path for "
        "one, or keeps no file modes.": not folder.socket_folder.is_relative_to(folder.home),
    }
    return tuple(sentence for sentence, applies in notes.items() if applies)
