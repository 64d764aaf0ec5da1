import os

import httpx

query = {"state": "done"}
while True:
    answer = httpx.get(
        "https://api.example.com/v1/uploads",
        headers={"x-api-key": os.environ["API_KEY"]},
        params=query,
    )
    answer.raise_for_status()
    page = answer.json()
    for upload in page["uploads"]:
        print(upload["id"], upload["filename"])
    if page["next_cursor"] is None:
        break
    query["cursor"] = page["next_cursor"]
