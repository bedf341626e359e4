#!/usr/bin/env node
// node.js - a MAPI client on Node's tls; ../stacks.py has the arguments
//
// SPDX-License-Identifier: MPL-2.0
const fs = require("fs");
const tls = require("tls");

const [address, port, name, ca, version, cert, key, alpn] =
    process.argv.slice(2);
const response = Buffer.from("LIT:monetdb:{SHA1}0123456789:sql:test:");

// The first complete message in data and where it ends, or null.
function firstMessage(data) {
    const blocks = [];
    for (let at = 0; data.length >= at + 2; ) {
        const header = data.readUInt16LE(at);
        const end = at + 2 + (header >> 1);
        if (data.length < end) return null;
        blocks.push(data.subarray(at + 2, end));
        if (header & 1) return { text: Buffer.concat(blocks), end };
        at = end;
    }
    return null;
}

const socket = tls.connect({
    host: address,
    port: Number(port),
    servername: name,
    ca: ca ? fs.readFileSync(ca) : undefined,
    minVersion: `TLSv${version}`,
    maxVersion: `TLSv${version}`,
    cert: cert ? fs.readFileSync(cert) : undefined,
    key: key ? fs.readFileSync(key) : undefined,
    ALPNProtocols: alpn ? [alpn] : undefined,
});

let received = Buffer.alloc(0);
let challenge = null;
let reply = null;
socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    const message = firstMessage(received);
    if (message === null) return;
    received = received.subarray(message.end);
    if (challenge === null) {
        challenge = message.text;
        socket.write(Buffer.from([response.length << 1 | 1, 0]));
        socket.write(response);
    } else {
        reply = message.text;
        socket.end();
    }
});
socket.on("end", () => {
    if (reply !== null) console.log(reply.toString());
    else fail("no reply");
});
socket.on("error", (error) => fail(error.message));

function fail(message) {
    console.error(message);
    process.exitCode = 1;
}
