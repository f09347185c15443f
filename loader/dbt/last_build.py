"""What dbt's last command built, and whether it is what the loader reads.

run_results.json has the arguments of the command: profiles_dir always; profile, target and sample
only if they were given, as an option or by a variable of dbt
(https://docs.getdbt.com/reference/artifacts/run-results-json). It does not have the host. So the
profile is read again with these arguments; a host that profiles.yml takes from the environment is
known only if the exposure records it, in `warehouse`.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from loader.dbt.exposures import dynamodb_settings, find_node, published_nodes
from loader.dbt.profile import Profile, read_profile
from loader.errors import Refused

# The commands that build; `dbt retry` has the name of the command that it repeats. Others, such as
# compile and clone, give nodes the status success too.
BUILDING = ("build", "run", "seed", "snapshot")
BUILT = "success"
DBT_PACKAGES = ("dbt", "dbt_redshift", "dbt_postgres")
RECORD_HOST = 'add warehouse: "{{ target.host }}:{{ target.port }}" to the exposure'


def command_of(results: Mapping[str, Any]) -> str:
    """The last command as far as its words are harmless: `dbt build`."""
    arguments = results.get("args") or {}
    retried = "retry" in str(arguments.get("invocation_command", "")).split()
    return f"dbt {'retry' if retried else arguments.get('which') or 'command'}"


def unbuilt(results: Mapping[str, Any], exposure: Mapping[str, Any]) -> Iterator[str]:
    """Why the relation of an exposure is not what the last command built; none for a source."""
    arguments = results.get("args") or {}
    for option in ("empty", "sample"):
        if arguments.get(option):
            yield f"`{command_of(results)} --{option}`, which leaves rows out"
    statuses = {r.get("unique_id"): str(r.get("status")) for r in results.get("results", ())}
    for node in published_nodes(exposure):
        kind, _, name, *_ = node.split(".")
        built = arguments.get("which", "build") in BUILDING
        status = statuses.get(node, "not built") if built else "not built"
        if kind != "source" and status != BUILT:
            yield f"{kind} {name} {status} in `{command_of(results)}`"


def built_elsewhere(
    manifest: Mapping[str, Any],
    results: Mapping[str, Any],
    exposure: Mapping[str, Any],
    project_dir: Path,
    profile: Profile,
) -> Iterator[str]:
    """How target, address and schema of the last build differ from what the loader reads."""
    arguments = results.get("args") or {}
    folder = Path(arguments.get("profiles_dir") or profile.folder)
    folder = folder if _has_profiles(folder) else profile.folder
    try:
        built = read_profile(
            project_dir,
            folder,
            arguments.get("profile"),
            arguments.get("target"),
            arguments.get("vars") or {},
            has_user=False,  # it is not compared
        )
    except Refused as refused:
        yield f"a build whose profile is lost ({refused.problems[0]})"
        return
    pairs = {
        "profile": (built.name, profile.name),
        "target": (built.target, profile.target),
        "host": (_recorded_host(exposure) or built.host, profile.host),
        "database": (built.credentials.database, profile.credentials.database),
        "schema": (
            _built_schema(manifest, exposure) or built.credentials.schema,
            profile.credentials.schema,
        ),
    }
    for name, (there, here) in pairs.items():
        if there.lower() != here.lower():
            yield f"a build in {name} {there} while {name} {here} is read"


def unknown_host(results: Mapping[str, Any], exposure: Mapping[str, Any], profile: Profile) -> str:
    """Why the host of the build may have been another one, or an empty text."""
    folder = (results.get("args") or {}).get("profiles_dir")
    if not folder or _recorded_host(exposure):
        return ""
    if not _has_profiles(Path(folder)):
        why = f"{folder} has no profiles.yml on this machine"
    elif profile.host_varies:
        why = "profiles.yml takes it from a variable"
    else:
        return ""
    return f"the host that dbt built in is not known, because {why}: {RECORD_HOST}"


def _has_profiles(folder: Path) -> bool:
    """Whether this user can read the folder's profiles.yml; the folder may be another user's."""
    return os.access(folder / "profiles.yml", os.R_OK)


def _recorded_host(exposure: Mapping[str, Any]) -> str:
    return str((dynamodb_settings(exposure) or {}).get("warehouse") or "")


def _built_schema(manifest: Mapping[str, Any], exposure: Mapping[str, Any]) -> str | None:
    """The schema of the target that dbt derived the relation's from; None if it is not known.

    dbt appends a custom schema: https://docs.getdbt.com/docs/build/custom-schemas. A project may
    derive it in another way, by a macro of its own.
    """
    macros = manifest.get("macros")
    node = next((find_node(manifest, node) for node in published_nodes(exposure)), None)
    if not macros or not node or node.get("resource_type") == "source":
        return None
    if any(name.endswith("generate_schema_name") and not _of_dbt(name) for name in macros):
        return None
    config = node.get("config") or {}
    if config.get("target_schema"):
        return None
    schema, suffix = str(node["schema"]), f"_{config['schema']}" if config.get("schema") else ""
    return schema.removesuffix(suffix) if suffix else schema


def _of_dbt(macro: str) -> bool:
    """Whether `macro.<package>.<name>` is in dbt itself, not in the project or its packages."""
    return macro.split(".")[1] in DBT_PACKAGES
