"""Functions behind the gateway and the state machine. No Django here: they are deployed as they
stand, and none of them invokes another.

api.py             the sold API's own answers; about uploads: api_uploads.py, and about jobs and
                   executions: api_work.py
jobs.py            from the queue: convert uploads again
views.py           from the stream: count deliveries
inspect_source.py  the state machine's first step: look at an uploaded file
convert.py         from the queue: make a file's variants, and report each
meter.py           from the access log: count calls as they happen

edge.py            what the portal publishes: whose a key is, what its tenant may do
calls.py           whose call it is, how it is refused, links to files
asked.py           what calls about uploads ask for
records.py         what is known of each upload and job
listing.py         a tenant's uploads, newest first
sharing.py         who may see an upload, and that it is deleted
counters.py        add to counts exactly once
clients.py         boto3 clients, kept warm between invocations
"""
