"""The dashboards that there are."""

from scripts.dashboards.one_queue import ONE_QUEUE
from scripts.dashboards.overview import OVERVIEW
from scripts.dashboards.quota import QUOTA
from scripts.dashboards.scaling import SCALING

BOARDS = (OVERVIEW, ONE_QUEUE, SCALING, QUOTA)
