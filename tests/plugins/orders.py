"""Take one order of the example 02_order through a store: orders.py EXAMPLES URL."""

import sys
import time

EXAMPLES, URL = sys.argv[1:]
sys.path.insert(0, f"{EXAMPLES}/02_order")

from main import workflow  # noqa: E402

from sayiir import open_backend, resume_workflow, run_durable_workflow, send_signal  # noqa: E402

order = {"id": "A-17", "item": "desk lamp", "count": 2, "amount": 59.8}
print(run_durable_workflow(workflow, "A-17", order, open_backend(URL)).status)  # noqa: T201 - a program of a user
send_signal("A-17", "approval", {"approved": True, "by": "Grace"}, open_backend(URL))
while (status := resume_workflow(workflow, "A-17", open_backend(URL))).is_awaiting_signal():
    time.sleep(0.1)
print(status.output["result"])  # noqa: T201 - a program of a user
