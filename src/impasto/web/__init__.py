"""The studio: a page in the browser in front of the jobs, served from this machine (`impasto studio`)."""
