"""Decisions, a file per aggregate: `handler(state, command, context) -> Decision`, pure, or a Refusal is raised."""
