curl --fail-with-body "https://api.example.com/v1/uploads/$UPLOAD" \
  --request DELETE \
  --header "x-api-key: $API_KEY" \
  --write-out "%{http_code}\n"
