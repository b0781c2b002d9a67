"""All routes of pages about jobs."""

from starlette.routing import BaseRoute

from edworkers.server.dashboard.jobs.actions import action_routes
from edworkers.server.dashboard.jobs.activity import activity_routes
from edworkers.server.dashboard.jobs.bulk import bulk_routes
from edworkers.server.dashboard.jobs.edit import edit_routes
from edworkers.server.dashboard.jobs.failures import failures_routes
from edworkers.server.dashboard.jobs.find import search_routes
from edworkers.server.dashboard.jobs.job_page import page_routes
from edworkers.server.dashboard.jobs.schedules import schedules_routes
from edworkers.server.dashboard.site import Site


def job_routes(site: Site) -> list[BaseRoute]:
    """Give the routes: of one job, failures, searches, what is done to many, schedules, and who did what."""
    return [
        *action_routes(site),
        *edit_routes(site),
        *page_routes(site),
        *failures_routes(site),
        *search_routes(site),
        *bulk_routes(site),
        *schedules_routes(site),
        *activity_routes(site),
    ]
