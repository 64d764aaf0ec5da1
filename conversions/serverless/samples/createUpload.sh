upload=$(
  curl --fail-with-body "https://api.example.com/v1/uploads" \
    --header "x-api-key: $API_KEY" \
    --json '{"filename": "photo.jpg", "content_type": "image/jpeg"}'
)

# The file goes straight to the storage: the form's fields first, then the file.
jq --raw-output '.form.fields | to_entries[] | "form-string = \"\(.key)=\(.value)\""' \
  <<< "$upload" |
  curl --fail-with-body --config - --form "file=@photo.jpg" \
    "$(jq --raw-output .form.url <<< "$upload")"

jq --raw-output .id <<< "$upload"
