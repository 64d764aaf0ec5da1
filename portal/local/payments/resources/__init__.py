"""The API's resources: what each object looks like, and what may be done with it.

Every function takes the transaction first and the checked parameters of its schema second; ids from
the address follow. It returns a stored object, or a list that `present.page` made.
"""
