import os

import httpx

answer = httpx.delete(
    f"https://api.example.com/v1/uploads/{os.environ['UPLOAD']}",
    headers={"x-api-key": os.environ["API_KEY"]},
)
answer.raise_for_status()
print(answer.status_code)
