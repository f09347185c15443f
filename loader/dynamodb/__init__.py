"""Tables, requests, prices. The only place that talks to DynamoDB."""
