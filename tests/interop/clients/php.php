<?php
// php.php - a MAPI client on PHP's streams; ../stacks.py has the arguments
//
// SPDX-License-Identifier: MPL-2.0

const RESPONSE = "LIT:monetdb:{SHA1}0123456789:sql:test:";
const VERSIONS = [
    "1.2" => STREAM_CRYPTO_METHOD_TLSv1_2_CLIENT,
    "1.3" => STREAM_CRYPTO_METHOD_TLSv1_3_CLIENT,
];

function fail(string $message): never
{
    fwrite(STDERR, "$message\n");
    exit(1);
}

function read_bytes($stream, int $count): string
{
    $bytes = stream_get_contents($stream, $count);
    if ($bytes === false || strlen($bytes) < $count) {
        fail("end of stream");
    }
    return $bytes;
}

function read_message($stream): string
{
    $header = unpack("v", read_bytes($stream, 2))[1];
    return read_bytes($stream, $header >> 1);
}

[, $address, $port, $name, $ca, $version, $cert, $key, $alpn] = $argv;
$options = [
    "peer_name" => $name,
    "verify_peer" => true,
    "verify_peer_name" => true,
    "crypto_method" => VERSIONS[$version],
];
if ($ca) {
    $options["cafile"] = $ca;
}
if ($cert) {
    $options["local_cert"] = $cert;
    $options["local_pk"] = $key;
}
if ($alpn) {
    $options["alpn_protocols"] = $alpn;
}
$context = stream_context_create(["ssl" => $options]);
$stream = stream_socket_client("tls://$address:$port", $errno, $message, 20,
    STREAM_CLIENT_CONNECT, $context);
if ($stream === false) {
    fail("no connection: $message");
}
read_message($stream);
fwrite($stream, pack("v", strlen(RESPONSE) << 1 | 1) . RESPONSE);
echo read_message($stream), "\n";
