"""The operations of the API, a file per aggregate. Each parses, asks and shows; none decides."""
