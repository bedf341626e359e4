// main.rs - a MAPI client on rustls; ../../stacks.py has the arguments
//
// SPDX-License-Identifier: MPL-2.0
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{Certificate, ClientConfig, ClientConnection, PrivateKey};
use rustls::{RootCertStore, StreamOwned};

const RESPONSE: &[u8] = b"LIT:monetdb:{SHA1}0123456789:sql:test:";

fn certificates(path: &str) -> Result<Vec<Certificate>, Box<dyn Error>> {
    let found = rustls_pemfile::certs(&mut BufReader::new(File::open(path)?))?;
    Ok(found.into_iter().map(Certificate).collect())
}

fn private_key(path: &str) -> Result<PrivateKey, Box<dyn Error>> {
    let mut file = BufReader::new(File::open(path)?);
    let found = rustls_pemfile::rsa_private_keys(&mut file)?;
    Ok(PrivateKey(found.into_iter().next().ok_or("no key")?))
}

fn read_message(stream: &mut impl Read) -> Result<String, Box<dyn Error>> {
    let mut text = Vec::new();
    let mut header = [0; 2];
    while header[0] & 1 == 0 {
        stream.read_exact(&mut header)?;
        let mut payload = vec![0; (u16::from_le_bytes(header) >> 1).into()];
        stream.read_exact(&mut payload)?;
        text.append(&mut payload);
    }
    Ok(String::from_utf8(text)?)
}

fn run(args: &[String]) -> Result<(), Box<dyn Error>> {
    let args: &[String; 8] = args.try_into()?;
    let [address, port, name, ca, version, cert, key, alpn] = args;
    let mut roots = RootCertStore::empty();
    if !ca.is_empty() {
        for certificate in certificates(ca)? {
            roots.add(&certificate)?;
        }
    }
    let builder = ClientConfig::builder()
        .with_safe_default_cipher_suites()
        .with_safe_default_kx_groups()
        .with_protocol_versions(&[if version == "1.2" { &TLS12 } else { &TLS13 }])?
        .with_root_certificates(roots);
    let mut config = if cert.is_empty() {
        builder.with_no_client_auth()
    } else {
        builder.with_single_cert(certificates(cert)?, private_key(key)?)?
    };
    if !alpn.is_empty() {
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    }

    let tls = ClientConnection::new(Arc::new(config), name.as_str().try_into()?)?;
    let tcp = TcpStream::connect((address.as_str(), port.parse()?))?;
    let mut stream = StreamOwned::new(tls, tcp);
    read_message(&mut stream)?;
    stream.write_all(&[(RESPONSE.len() << 1 | 1) as u8, 0])?;
    stream.write_all(RESPONSE)?;
    println!("{}", read_message(&mut stream)?);
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(())
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = run(&args) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
