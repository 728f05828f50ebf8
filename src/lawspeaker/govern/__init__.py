"""The one composition: request, checks, draft, checks, critique, revision, decision, record, receipt."""

from lawspeaker.govern.governor import Governed, Governor
from lawspeaker.govern.recording import record_attempt

__all__ = ["Governed", "Governor", "record_attempt"]
