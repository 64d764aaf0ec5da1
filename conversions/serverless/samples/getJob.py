import os
import time

import httpx

while True:
    answer = httpx.get(
        f"https://api.example.com/v1/jobs/{os.environ['JOB']}",
        headers={"x-api-key": os.environ["API_KEY"]},
    )
    if answer.status_code != 404:  # a job that still waits in the queue is not found yet
        break
    time.sleep(1)
answer.raise_for_status()
print(answer.json()["state"])
