"""Input that means harm, or is merely broken: one clear line, and nothing else touched."""
