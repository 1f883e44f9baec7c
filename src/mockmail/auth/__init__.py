"""Who may log in, and the SASL mechanisms by which they say so: one for SMTP, POP3 and IMAP."""
