#!/usr/bin/perl
# perl.pl - a MAPI client on IO::Socket::SSL; ../stacks.py has the arguments
#
# SPDX-License-Identifier: MPL-2.0
use strict;
use warnings;
use IO::Socket::SSL;

my $response = 'LIT:monetdb:{SHA1}0123456789:sql:test:';
my ($address, $port, $name, $ca, $version, $cert, $key, $alpn) = @ARGV;

sub read_bytes {
    my ($stream, $count) = @_;
    my $bytes = '';
    while (length $bytes < $count) {
        $stream->sysread($bytes, $count - length $bytes, length $bytes)
            or die "end of stream: $SSL_ERROR\n";
    }
    return $bytes;
}

sub read_message {
    my ($stream) = @_;
    my $header = unpack 'v', read_bytes($stream, 2);
    return read_bytes($stream, $header >> 1);
}

my $stream = IO::Socket::SSL->new(
    PeerHost => $address,
    PeerPort => $port,
    Timeout => 20,
    SSL_verify_mode => SSL_VERIFY_PEER,
    SSL_verifycn_name => $name,
    SSL_verifycn_scheme => 'http',
    SSL_hostname => $name,
    SSL_version => 'TLSv1_' . substr($version, 2),
    ($ca ? (SSL_ca_file => $ca) : ()),
    ($cert ? (SSL_cert_file => $cert, SSL_key_file => $key) : ()),
    ($alpn ? (SSL_alpn_protocols => [$alpn]) : ()),
) or die "no connection: $SSL_ERROR\n";

read_message($stream);
$stream->print(pack('v', length($response) << 1 | 1) . $response);
print read_message($stream), "\n";
$stream->close;
