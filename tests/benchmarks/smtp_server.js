// node's smtp-server, keeping each message in a list; prints its port. A line on standard input forgets all mail.
"use strict";
const readline = require("node:readline");
const { SMTPServer } = require("smtp-server");

let kept = [];
const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    disableReverseLookup: true,
    size: 64 * 1024 * 1024,
    onData(stream, session, done) {
        const chunks = [];
        stream.on("data", (chunk) => chunks.push(chunk));
        stream.on("end", () => {
            kept.push({ envelope: session.envelope, content: Buffer.concat(chunks) });
            done();
        });
    },
});
server.on("error", (error) => console.error(error.message));
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ smtp: server.server.address().port })));
readline.createInterface({ input: process.stdin }).on("line", () => {
    kept = [];
    console.log("null");
});
