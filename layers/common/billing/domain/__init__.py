"""Rules as values in, values out: no AWS, no Stripe, no HTTP, no clock."""
