#!/usr/bin/env node
// node.js - a MAPI client on Node's tls; ../stacks.py has the arguments
//
// SPDX-License-Identifier: MPL-2.0
const fs = require("fs");
const tls = require("tls");

const [address, port, name, ca, version, cert, key, alpn] =
    process.argv.slice(2);
const response = Buffer.from("LIT:monetdb:{SHA1}0123456789:sql:test:");

// The payload of the first complete message in data, or null.
function firstMessage(data) {
    if (data.length < 2) return null;
    const end = 2 + (data.readUInt16LE(0) >> 1);
    return data.length < end ? null : data.subarray(2, end);
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
    received = received.subarray(2 + message.length);
    if (challenge === null) {
        challenge = message;
        socket.write(Buffer.from([response.length << 1 | 1, 0]));
        socket.write(response);
    } else {
        reply = message;
    }
});
socket.on("end", () => {
    if (reply) console.log(reply.toString());
    else fail("no reply");
});
socket.on("error", (error) => fail(error.message));

function fail(message) {
    console.error(message);
    process.exitCode = 1;
}
