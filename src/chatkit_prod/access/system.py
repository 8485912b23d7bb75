"""Who a job is that works on everybody's threads: retention, export, a migration."""

from dataclasses import dataclass

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.principal import Principal
from chatkit_prod.records import audit_logger, who, write
from chatkit_prod.state import RequestState

_ISSUER = "chatkit_prod.system"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPrincipal(Principal):
    """A principal that no policy is asked about. Made by `system_principal`, outside of any request.

    Raises:
        ConfigurationError: A request is being answered.
    """

    def __post_init__(self) -> None:
        Principal.__post_init__(self)
        if RequestState.within_request():
            raise ConfigurationError("a request cannot become the system: run the job outside of it")


def system_principal(job: str) -> SystemPrincipal:
    """Return a principal who may reach everything, for a job of the app's own; leaves an audit record.

    Where a request is being answered there is none, and one that was made before is refused there: in
    the server, its tools, their tasks and the threads that `RequestState.current` speaks of.

    Args:
        job: What for, such as `retention`; stands in the audit record as `user_id`.

    Raises:
        ConfigurationError: The job has no name, or a request is being answered.
    """
    principal = SystemPrincipal(issuer=_ISSUER, subject=job, method="system")
    write(audit_logger, {"decision": "granted", **who(principal)})
    return principal
