"""In a notebook: an interrupted cell keeps every answer, the kernel lives, the next run goes on."""

import os
import sys
import time

import pytest
from fault_limits import Limits
from fault_server import FaultServer

manager = pytest.importorskip("jupyter_client.manager", reason="jupyter_client is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

CELL = """
from interp_embed.llm import AnswerStore, Message, OpenAILLM, Plan, Request
from pathlib import Path

store = AnswerStore.open(Path({path!r}))
llm = OpenAILLM("gpt-4o-mini", base_url={url!r}, api_key="k", store=store, progress=False)
requests = tuple(Request("q-1", (Message("user", f"Question {{i}}"),), 20) for i in range(200))

def job(request):
    async def ask(ask):
        return await ask(request)
    return ask

jobs = [job(request) for request in requests]
"""


class Kernel:
    def __init__(self):
        self.manager = manager.KernelManager(kernel_name="python3")
        self.manager.kernel_spec.argv[0] = sys.executable
        self.manager.start_kernel(env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code, *, meanwhile=None):
        """Return what a cell printed and the name and text of its error."""
        sent = self.client.execute(code)
        if meanwhile is not None:
            meanwhile()
        printed, error = "", None
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != sent:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
            elif message["msg_type"] == "error":
                error = (content["ename"], content["evalue"])
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return printed, error

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.close()


def test_an_interrupted_cell_keeps_every_answer_and_the_next_run_asks_the_rest(kernel, tmp_path):
    answer = '{"label": "mentions the sea"}'
    with FaultServer(lambda _: answer, limits=Limits(rpm=6000), latency_s=0.5) as server:
        path = str(tmp_path / "a.sqlite")
        assert kernel.run(CELL.format(path=path, url=server.base_url))[1] is None

        def interrupt():
            while server.stats().billed < 8:
                time.sleep(0.02)
            kernel.manager.interrupt_kernel()

        _, error = kernel.run(
            "answers = llm.run(jobs, Plan('Asking', requests))", meanwhile=interrupt
        )
        billed = server.stats().billed
        printed, _ = kernel.run("print(llm.usage.calls)")

        assert error[0] == "Interrupted"
        assert "Run the same again" in error[1]
        assert billed < 200
        assert int(printed) == billed  # all that was answered is here

        printed, error = kernel.run(
            "answers = await llm.run_async(jobs, Plan('Asking', requests)); print(len(answers))"
        )
        assert error is None
        assert printed.strip() == "200"
        assert server.stats().billed == 200
