"""The HTTP interface: counts, units, dead letters, health and metrics. It only reads."""

from __future__ import annotations

import http
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloud_sink import counts
from cloud_sink.condition import Condition
from cloud_sink.csv_text import csv_chunks
from cloud_sink.errors import QueryError, SinkError
from cloud_sink.metrics import Metrics
from cloud_sink.questions import Question, encode_cursor, parse_question
from cloud_sink.tables import JSON_COLUMNS, reading

_log = logging.getLogger("cloud_sink")


def make_app(path: Path, condition: Condition, metrics: Metrics) -> Starlette:
    """The application.

    Args:
        path: the database.
        condition: how the subscriber is doing.
        metrics: its counters.
    """
    routes = [
        Route("/v1/counts", _counts(path)),
        Route("/v1/units", _units(path)),
        Route("/v1/dead-letters", _dead_letters(path)),
        Route("/healthz", _health(condition)),
        Route("/metrics", _metrics(metrics)),
    ]
    return Starlette(
        routes=routes,
        exception_handlers={
            QueryError: _refused,
            SinkError: _unavailable,
            HTTPException: _http_error,
        },
    )


Endpoint = Callable[[Request], Response]


def _counts(path: Path) -> Endpoint:
    def answer(request: Request) -> Response:
        question = parse_question(_once(request))
        as_csv = _wants_csv(request)
        with reading(path) as db:
            found = counts.ask(db, question)
        cursor = None if found.last is None else encode_cursor(found.last)
        headers = {} if cursor is None else {"Link": _link(request, cursor)}
        if as_csv:
            rows = ([row[name] for name in found.columns] for row in found.rows)
            text = "".join(csv_chunks(found.columns, rows))
            return Response(text, media_type="text/csv", headers=headers)
        told = [_opened(row) for row in found.rows]
        return _json({_member(question): told, "next": cursor}, headers=headers)

    return answer


def _units(path: Path) -> Endpoint:
    def answer(_request: Request) -> Response:
        with reading(path) as db:
            return _json({"units": counts.units(db)})

    return answer


def _dead_letters(path: Path) -> Endpoint:
    def answer(_request: Request) -> Response:
        with reading(path) as db:
            return _json(counts.dead_letters(db))

    return answer


def _health(condition: Condition) -> Endpoint:
    def answer(_request: Request) -> Response:
        troubles = condition.troubles()
        well = not any(troubles.values())
        parts = {name: {"ok": wrong is None, "trouble": wrong} for name, wrong in troubles.items()}
        return _json({"ok": well, **parts}, status=200 if well else 503)

    return answer


def _metrics(metrics: Metrics) -> Endpoint:
    def answer(_request: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return answer


def _opened(row: counts.Row) -> counts.Row:
    """The same with what is stored as JSON in its place, not as a text."""
    texts = {name: row[name] for name in JSON_COLUMNS if row.get(name) is not None}
    return {**row, **{name: orjson.Fragment(text) for name, text in texts.items()}}


def _once(request: Request) -> dict[str, str]:
    """Each parameter once: of two the reader could not tell which one counted."""
    given: dict[str, str] = {}
    for parameter, text in request.query_params.multi_items():
        if parameter in given:
            raise QueryError(parameter, "given twice")
        given[parameter] = text
    return given


def _wants_csv(request: Request) -> bool:
    asked = request.query_params.get("format")
    if asked not in (None, "", "json", "csv"):
        raise QueryError("format", "one of json, csv")
    return asked == "csv" or (not asked and "text/csv" in request.headers.get("accept", ""))


def _member(question: Question) -> str:
    return {"window": "windows", "hour": "hours", "total": "totals"}[question.by.value]


def _link(request: Request, cursor: str) -> str:
    others = {name: text for name, text in request.query_params.items() if name != "cursor"}
    return f'<{request.url.path}?{urlencode({**others, "cursor": cursor})}>; rel="next"'


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


def _problem(status: int, detail: str, **more: str) -> Response:
    """RFC 9457."""
    title = http.HTTPStatus(status).phrase
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Response(orjson.dumps(content), status, media_type="application/problem+json")


Handler = Callable[[Request, Exception], Response | Awaitable[Response]]


def _refused(_request: Request, error: Exception) -> Response:
    parameter = error.parameter if isinstance(error, QueryError) else ""
    return _problem(400, str(error), parameter=parameter)


def _unavailable(_request: Request, error: Exception) -> Response:
    _log.error("store: %s", error)
    return _problem(503, "the store cannot be read now; see /healthz")


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    response = _problem(status, f"{request.method} {request.url.path}")
    response.headers.update(getattr(error, "headers", None) or {})
    return response
