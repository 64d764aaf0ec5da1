import os
import time

import httpx

state = "running"
while state == "running":
    answer = httpx.get(
        f"https://api.example.com/v1/workflows/ingest/{os.environ['EXECUTION']}",
        headers={"x-api-key": os.environ["API_KEY"]},
    )
    answer.raise_for_status()
    state = answer.json()["state"]
    time.sleep(1)
print(state)
