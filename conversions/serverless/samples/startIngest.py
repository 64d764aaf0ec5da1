import os

import httpx

answer = httpx.post(
    "https://api.example.com/v1/workflows/ingest",
    headers={"x-api-key": os.environ["API_KEY"]},
    json={"upload": os.environ["UPLOAD"]},
)
answer.raise_for_status()
print(answer.json()["id"])
