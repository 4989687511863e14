"""The application: routes, layers and life of the server.

from aver.server.app import create_app
from aver.server.settings import ServerSettings
app = create_app(ServerSettings(data="aver-server"))
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles

from aver.errors import AverError
from aver.server import routes_analyses, routes_results, routes_server
from aver.server.documents import ProblemDocument
from aver.server.files import JobFiles
from aver.server.observe import Observer
from aver.server.problems import Problem, handle
from aver.server.security import Gate, host_names
from aver.server.services import Services
from aver.server.settings import ServerSettings
from aver.server.store import Store

API_VERSION = "1.0.0"
"""Of the API's document, not of the package."""

DESCRIPTION = """Recordings in, timelines of expressed emotion out.

Scores say which emotion a face or a voice *expresses*, with their uncertainty; they do not say what
somebody feels. Not for hiring, policing, classrooms or medical decisions.

Every error is a problem document (RFC 9457) whose `type` leads to an explanation.
"""


def create_app(settings: ServerSettings, *, store: Store | None = None) -> FastAPI:
    """The application of a server with these settings.

    It answers requests and stores uploads; what analyses them is a
    :class:`~aver.server.supervisor.Supervisor` beside it, here or elsewhere.

    Args:
        settings: of the server.
        store: of jobs; by default one of its own, which is closed when the application stops.

    Raises:
        AverError: if database or data folder cannot be used.
    """
    own = store is None
    store = store or Store(settings.store_url, busy_timeout_seconds=settings.busy_timeout_seconds)
    job_files = JobFiles(settings.data)
    job_files.prepare(store.store_id)
    services = Services(settings, store, job_files)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        services.stop()
        if own:
            await to_thread.run_sync(store.close)

    app = FastAPI(
        title="aver",
        version=API_VERSION,
        description=DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # these pages fetch their scripts from elsewhere
        redoc_url=None,
        lifespan=life,
        redirect_slashes=False,
        exception_handlers={
            Problem: handle,
            HTTPException: handle,
            RequestValidationError: handle,
            AverError: handle,
            OSError: handle,
        },
    )
    app.state.services, app.state.settings = services, settings
    for part in (routes_analyses, routes_results, routes_server):
        app.include_router(part.router)
    _add_live(app)
    _add_page(app)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    _add_layers(app, services)
    return app


def _add_layers(app: FastAPI, services: Services) -> None:
    """The layers around the routes; the one added last is the outermost."""
    settings = services.settings
    if settings.allow_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.allow_origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=["Location", "ETag", "Retry-After", "Content-Disposition", "Link"],
            max_age=600,
        )
    app.add_middleware(
        Gate,
        key_check=services.key_check,
        rates=services.requests,
        host_names=host_names(settings.host, settings.host_names),
        origins=settings.allow_origins,
    )
    app.add_middleware(Observer, metrics=services.metrics)


def _add_live(app: FastAPI) -> None:
    from aver.server.live import router

    app.include_router(router)


def _add_page(app: FastAPI) -> None:
    folder = Path(str(files("aver.server") / "page"))
    app.mount("/", StaticFiles(directory=folder, html=True, check_dir=False), name="page")


def _document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI's document; every problem has the same form, the framework's own ones go."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version="3.1.0",
            description=app.description,
            routes=app.routes,
            tags=[
                {"name": "analyses", "description": "Ask for analyses and follow them."},
                {"name": "results", "description": "What they found, and the recordings."},
                {"name": "people", "description": "Who was seen."},
                {"name": "session", "description": "Cookies for the page."},
                {"name": "operation", "description": "Health and metrics."},
            ],
        )
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs", {}))
        schemas["Problem"] = problem
        document["components"]["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "The server's key."},
            "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": "aver_session",
                "description": "For reading; from `POST /v1/session`.",
            },
        }
        document["security"] = [{}, {"key": []}, {"session": []}]
        app.openapi_schema = document
    return app.openapi_schema
