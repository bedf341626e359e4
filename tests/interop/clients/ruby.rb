#!/usr/bin/ruby
# ruby.rb - a MAPI client on Ruby's openssl; ../stacks.py has the arguments
#
# SPDX-License-Identifier: MPL-2.0
require "openssl"
require "socket"

RESPONSE = "LIT:monetdb:{SHA1}0123456789:sql:test:"
VERSIONS = {
  "1.2" => OpenSSL::SSL::TLS1_2_VERSION,
  "1.3" => OpenSSL::SSL::TLS1_3_VERSION
}

def read_message(stream)
  header = stream.readpartial(1) + stream.readpartial(1)
  stream.read(header.unpack1("v") >> 1)
end

address, port, name, ca, version, cert, key, alpn = ARGV
context = OpenSSL::SSL::SSLContext.new
context.set_params(verify_mode: OpenSSL::SSL::VERIFY_PEER)
context.ca_file = ca unless ca.empty?
context.cert_store = nil unless ca.empty?
context.min_version = context.max_version = VERSIONS[version]
context.alpn_protocols = [alpn] unless alpn.empty?
unless cert.empty?
  context.cert = OpenSSL::X509::Certificate.new(File.read(cert))
  context.key = OpenSSL::PKey.read(File.read(key))
end

begin
  stream = OpenSSL::SSL::SSLSocket.new(TCPSocket.new(address, port), context)
  stream.sync_close = true
  stream.hostname = name
  stream.connect
  stream.post_connection_check(name)
  read_message(stream)
  stream.write([RESPONSE.length << 1 | 1].pack("v") + RESPONSE)
  puts read_message(stream)
  stream.close
rescue OpenSSL::SSL::SSLError, SystemCallError, EOFError => error
  abort error.message
end
