"""HTTP: Mailpit's API, our own, and the page, over the same store. Needs the extra ``http``."""
