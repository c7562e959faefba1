"""The errors that end a request before any route sees it: each names its bound, or its setting."""

from __future__ import annotations

from bankloom.core.errors import BankloomError


class MalformedHttpError(BankloomError):
    """What came is not HTTP/1.1 as this service understands it. Speak plain HTTP to this port."""

    code = "malformed_http"
    status = 400


class OriginRefusedError(BankloomError):
    """Pages of that origin may not call this service. Name it in BANKLOOM_CORS_ORIGINS if they are yours."""

    code = "origin_refused"
    status = 403


class TooSlowRequestError(BankloomError):
    """The request did not arrive in time. Send it whole, over a new connection."""

    code = "request_too_slow"
    status = 408


class UrlTooLongError(BankloomError):
    """The URL is longer than 8 KiB, and none that this service knows is."""

    code = "url_too_long"
    status = 414


class UnknownHostError(BankloomError):
    """The Host header is none of ours: a page may have been led here by a DNS entry of its own.

    Call it by its IP address, as localhost or by the host of BANKLOOM_PUBLIC_URL, or name the host
    in BANKLOOM_ALLOWED_HOSTS.
    """

    code = "unknown_host"
    status = 421

    def __init__(self) -> None:
        super().__init__(
            "This service does not answer to the name in the request's Host header. Call it by its "
            "IP address, as localhost, or by the host of BANKLOOM_PUBLIC_URL; or name that host in "
            "BANKLOOM_ALLOWED_HOSTS. A proxy must pass the Host header on."
        )


class TooManyRequestsError(BankloomError):
    """Too many requests in the last minute. Repeat this one after the seconds of Retry-After."""

    code = "too_many_requests"
    status = 429

    def __init__(self, message: str | None = None, *, retry_after_seconds: int) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)


class HeadTooLargeError(BankloomError):
    """The request's headers are more than 100, or larger than 32 KiB."""

    code = "headers_too_large"
    status = 431


class TookTooLongError(BankloomError):
    """Reading took longer than 30 seconds and was given up. Ask for less, or again in a moment."""

    code = "took_too_long"
    status = 503


class TooManyConnectionsError(BankloomError):
    """As many connections are open as this process may hold. Try again in a moment."""

    code = "too_many_connections"
    status = 503
