"""Functions behind the gateway. No Django here: they are deployed as they stand.

ping.py            who am I, for a caller's first call
inspect_source.py  look at an uploaded file before any work is planned
convert.py         make a file's variants, and report each
clients.py         boto3 clients, kept warm between invocations
"""
