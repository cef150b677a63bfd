"""What talks to the world: DynamoDB, Stripe, SQS, S3, Secrets Manager."""
