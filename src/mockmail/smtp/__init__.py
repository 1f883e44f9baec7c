"""The SMTP side: a sans-IO session over the command loop of aiosmtpd."""
