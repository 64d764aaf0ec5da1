"""The pages that a payer sees: checkout, 3-D Secure, and what is left to say afterwards."""
