"""The application: routes, refusals, the page and its documentation."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from quickstudy.errors import QuickstudyError, one_line
from quickstudy.serving import docs, loops
from quickstudy.serving.api import routes
from quickstudy.serving.bodies import fault_of
from quickstudy.serving.guard import Guard
from quickstudy.serving.limits import Limits, Refused
from quickstudy.serving.metrics import Measured, Metrics
from quickstudy.serving.shapes import Problem
from quickstudy.serving.store import Store
from quickstudy.serving.work import Work, noted_warnings

STATIC = Path(__file__).parent / "static"
"""Folder of the page."""


def application(store: Store, host: str, hosts: Sequence[str], token: str | None, limits: Limits) -> FastAPI:
    """Return the application that serves a store of classifiers; see ``create_app``."""
    work, metrics = Work(), Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with noted_warnings():
            yield
        work.close()

    app = FastAPI(title="quickstudy", version=version("quickstudy"), docs_url=None, redoc_url=None, lifespan=lifespan)
    app.include_router(routes(store, work, metrics, limits))
    app.include_router(loops.routes())

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the server answers."""
        return {"status": "ok"}

    @app.get("/metrics", response_class=Response)
    async def numbers() -> Response:
        """Return counts and times for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return HTMLResponse(docs.page(app.openapi()), headers={"content-security-policy": docs.POLICY})

    app.mount("/", StaticFiles(directory=STATIC, html=True))
    schema = app.openapi
    app.openapi = lambda: _with_shapes(schema())  # type: ignore[method-assign]
    _refuse_in_one_line(app)
    app.add_middleware(Guard, host=host, hosts=hosts, token=token, limits=limits)
    app.add_middleware(Measured, metrics=metrics)
    return app


def _refuse_in_one_line(app: FastAPI) -> None:
    """Answer every error by one line of JSON."""

    def problem(status: int, error: object, headers: Any = None) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status, headers)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return problem(error.status, error)

    @app.exception_handler(QuickstudyError)
    async def unfit(_: Request, error: QuickstudyError) -> JSONResponse:
        return problem(422, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, fault_of(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, error.detail, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, error: ClientDisconnect) -> JSONResponse:
        return problem(400, "the client closed the connection")

    @app.exception_handler(OSError)
    async def disk(_: Request, error: OSError) -> JSONResponse:
        logging.getLogger("uvicorn.error").error("disk: %s", error)
        return problem(409, f"the disk of the server refuses: {error.strerror or one_line(error)}")

    @app.exception_handler(Exception)
    async def internal(_: Request, error: Exception) -> JSONResponse:
        return problem(500, "internal error of quickstudy; please report what the server printed")


def _with_shapes(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI schema in which the parts of bodies are components."""
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    components.setdefault("Problem", Problem.model_json_schema())
    for methods in schema["paths"].values():
        for about in methods.values():
            for body in about.get("requestBody", {}).get("content", {}).values():
                components |= body["schema"].pop("$defs", {})
    return schema
