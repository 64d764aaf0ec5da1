import os
from pathlib import Path

import httpx

answer = httpx.post(
    "https://api.example.com/v1/uploads",
    headers={"x-api-key": os.environ["API_KEY"]},
    json={"filename": "photo.jpg", "content_type": "image/jpeg"},
)
answer.raise_for_status()
upload = answer.json()

# The file goes straight to the storage: the form's fields first, then the file.
posted = httpx.post(
    upload["form"]["url"],
    data=upload["form"]["fields"],
    files={"file": Path("photo.jpg").read_bytes()},
)
posted.raise_for_status()
print(upload["id"])
