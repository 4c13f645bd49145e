# What it has accepted it answers before it ends. By default it reads requests in a thread beside, and at its end resets
# connections whose request has not been read yet.
queue_requests false
