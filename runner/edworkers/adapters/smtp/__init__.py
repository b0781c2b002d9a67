"""Mail over SMTP, through connections that are kept and used again."""

from edworkers.adapters.smtp.delivery import Delivery, Outgoing, Refusal
from edworkers.adapters.smtp.pool import SmtpPool, open_pool
from edworkers.adapters.smtp.settings import SmtpSettings, find_faults, read_settings

__all__ = ["Delivery", "Outgoing", "Refusal", "SmtpPool", "SmtpSettings", "find_faults", "open_pool", "read_settings"]
