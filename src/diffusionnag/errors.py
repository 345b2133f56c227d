"""The errors a user can cause or meet; the command line prints each as one line."""


class DiffusionNAGError(Exception):
    """What was asked for cannot be done; the message says what is wrong and what to do."""

    exit_code = 2


class EnvironmentFailureError(DiffusionNAGError):
    """The world failed, not the request: no disk, no permission, no network."""

    exit_code = 1


class SpaceExhaustedError(DiffusionNAGError):
    """Every architecture of a space that can be found within the limits has been proposed."""


class ImprobableError(SpaceExhaustedError):
    """It is improbable that what has not been proposed is better than what was measured."""
