"""What is wrong with a request, with the status that says so in every protocol.

A status that makes a client's library try again (408, 409, 429, 5xx) is only for what may be well the next time.
"""

from typing import Final

from lawspeaker.errors import LawspeakerError

# status -> the name of such an error in OpenAI's and in Anthropic's form
KINDS: Final = {
    400: ("invalid_request_error", "invalid_request_error"),
    401: ("authentication_error", "authentication_error"),
    403: ("permission_error", "permission_error"),
    404: ("invalid_request_error", "not_found_error"),
    405: ("invalid_request_error", "invalid_request_error"),
    413: ("invalid_request_error", "request_too_large"),
    415: ("invalid_request_error", "invalid_request_error"),
    429: ("rate_limit_error", "rate_limit_error"),
    500: ("server_error", "api_error"),
    502: ("server_error", "api_error"),
    503: ("server_error", "overloaded_error"),
    504: ("server_error", "timeout_error"),
}
_WORTH_ANOTHER_TRY: Final = frozenset({429, 502, 504})


class RequestError(LawspeakerError):
    """A request that is not served. The text goes to the client, so it never repeats a key or another's words."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    @property
    def again(self) -> bool:
        """Whether the same request may be served later."""
        return self.status in _WORTH_ANOTHER_TRY


def bad(message: str, param: str | None = None, code: str | None = None) -> RequestError:
    """The client's mistake."""
    return RequestError(400, message, param=param, code=code)
