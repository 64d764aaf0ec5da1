"""Uploads for people: `/uploads/`, and the links to variants that anybody may open.

page.py      the page, a search, and news of what is shown
rows.py      an upload as the page shows it
changes.py   new, again, deleted, brought back
files.py     from our addresses to the files in S3: one, or many in an archive
slots.py     how many archives at once, and whose
links.py     links for others: signed ones that end, public ones

No page waits for S3. A picture's address is one of ours, which leads on to a link that S3 accepts
for an hour: so addresses stay the same while a page asks for news, browsers keep the pictures, and
a page that has been open for long still shows them.
"""

from django.urls import path

from portal.views.uploads import changes, files, links, page

urlpatterns = [
    path("uploads/", page.uploads, name="uploads"),
    path("uploads/news/", page.news, name="uploads-news"),
    path("uploads/create/", changes.upload_create, name="upload-create"),
    path("uploads/delete/", changes.uploads_delete, name="uploads-delete"),
    path("uploads/restore/", changes.uploads_restore, name="uploads-restore"),
    path("uploads/archive.zip", files.archive, name="uploads-archive"),
    path("uploads/<uuid:upload_id>/retry/", changes.upload_retry, name="upload-retry"),
    path("uploads/<uuid:upload_id>/links/", links.links, name="upload-links"),
    path("uploads/<uuid:upload_id>/public/", links.public_set, name="upload-public"),
    path("uploads/<uuid:upload_id>/source/", files.source, name="upload-source"),
    path(
        "uploads/<uuid:upload_id>/variants/<int:conversion_id>/",
        files.variant,
        name="upload-variant",
    ),
    path("s/<str:token>", links.signed, name="signed-link"),
    path("p/<uuid:public_id>/<slug:preset_code>", links.public, name="public-link"),
]
