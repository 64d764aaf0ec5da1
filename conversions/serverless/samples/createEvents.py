import os

import httpx

answer = httpx.post(
    "https://api.example.com/v1/events",
    headers={"x-api-key": os.environ["API_KEY"]},
    json={"events": [{"upload": os.environ["UPLOAD"], "preset": "thumb", "count": 3}]},
)
answer.raise_for_status()
print(answer.json()["state"])
