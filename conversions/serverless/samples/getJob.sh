# A job that still waits in the queue is not found yet.
curl --fail --retry 30 --retry-delay 1 --retry-all-errors \
  "https://api.example.com/v1/jobs/$JOB" \
  --header "x-api-key: $API_KEY" |
  jq --raw-output .state
