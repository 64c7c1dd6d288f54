"""Submit, follow and control instances that workers run, from threads and from event loops."""

from sayiir_runtime.client.async_client import AsyncWorkflowClient, AsyncWorkflowHandle
from sayiir_runtime.client.client import WorkflowClient
from sayiir_runtime.client.handle import WorkflowHandle
from sayiir_runtime.client.listing import InstanceSummary, SummaryPage

__all__ = [
    "AsyncWorkflowClient",
    "AsyncWorkflowHandle",
    "InstanceSummary",
    "SummaryPage",
    "WorkflowClient",
    "WorkflowHandle",
]
