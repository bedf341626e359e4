// go.go - a MAPI client on crypto/tls; ../stacks.py has the arguments
//
// SPDX-License-Identifier: MPL-2.0
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
)

const response = "LIT:monetdb:{SHA1}0123456789:sql:test:"

var versions = map[string]uint16{
	"1.2": tls.VersionTLS12,
	"1.3": tls.VersionTLS13,
}

func readMessage(stream io.Reader) (string, error) {
	text := ""
	for header := uint16(0); header&1 == 0; {
		err := binary.Read(stream, binary.LittleEndian, &header)
		if err != nil {
			return "", err
		}
		payload := make([]byte, header>>1)
		if _, err := io.ReadFull(stream, payload); err != nil {
			return "", err
		}
		text += string(payload)
	}
	return text, nil
}

func exchange(stream io.ReadWriter) (string, error) {
	if _, err := readMessage(stream); err != nil {
		return "", err
	}
	message := []byte{byte(len(response)<<1 | 1), 0}
	if _, err := stream.Write(append(message, response...)); err != nil {
		return "", err
	}
	return readMessage(stream)
}

func run(address, port, name, ca, version, cert, key, alpn string) error {
	config := &tls.Config{
		ServerName: name,
		MinVersion: versions[version],
		MaxVersion: versions[version],
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return err
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if alpn != "" {
		config.NextProtos = []string{alpn}
	}
	stream, err := tls.Dial("tcp", net.JoinHostPort(address, port), config)
	if err != nil {
		return err
	}
	defer stream.Close()
	reply, err := exchange(stream)
	if err == nil {
		fmt.Println(reply)
	}
	return err
}

func main() {
	a := os.Args[1:]
	err := run(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
