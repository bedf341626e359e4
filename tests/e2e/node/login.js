// login.js HOST PORT - log in by the npm package and print what came of it
//
// SPDX-License-Identifier: MPL-2.0
const { Connection } = require("monetdb");

const connection = new Connection({
    host: process.argv[2],
    port: Number(process.argv[3]),
    database: "demo",
    username: "monetdb",
    password: "monetdb",
});
connection.connect().then(
    () => { console.log("connected"); process.exit(0); },
    (error) => { console.log(String(error)); process.exit(1); });
setTimeout(() => { console.log("hangs"); process.exit(2); }, 20000).unref();
